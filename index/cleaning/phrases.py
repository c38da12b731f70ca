"""The words and shapes of furniture on news pages, one pattern a line.

A pattern describes a whole line, without regard to case. A line that ends in | goes on in the next.
{navigation}, {site} and {unit} stand for the lists of that name. The words are those that
publishers use in English, French and German.
"""


def alternatives(patterns: str) -> str:
    """The patterns of one list as one regular expression."""
    lines = [line.strip() for line in patterns.strip().splitlines()]
    return "".join(line if line.endswith("|") else f"{line}\n" for line in lines).strip().replace("\n", "|")


NAVIGATION_WORDS = r"""
    home(?:page)?|news|world|nation(?:al)?|local(?: news)?|city|politics|business|money|markets|opinion|
    sports?|lifestyle|life|style|culture|arts|entertainment|travel|tech(?:nology)?|science|health|education|
    environment|weather|traffic|video|videos|photos|live|listen(?: live)?|watch(?: live)?|podcasts?|shows|
    contests|obituaries|deaths|letters|farm|legals|jobs|classifieds|shop|archive|about(?: us)?|
    contact(?: us)?|search|menu|log ?in|sign ?in|register|subscribe|my account|e-?paper|e-?edition|
    newsletters?|rss(?: feed)?|colophon|accessibility|accessibility (?:links|help|feedback)|
    skip to (?:main )?(?:content|navigation)|back to top|accueil|actualités?|faits divers|économie|
    politique|société|monde|loisirs|météo|annonces(?: légales)?|s[’']abonner|se connecter|je m[’']abonne.*|
    startseite|nachrichten|politik|wirtschaft|sport|kultur|anmelden|abo
"""

SITES = r"""
    facebook|twitter|x|instagram|whatsapp|linkedin|reddit|pinterest|telegram|mastodon|bluesky|threads|
    youtube|tiktok|flipboard|messenger
"""

UNITS = r"""
    (?:s|m|h|d|w|sec|min|mins|hr|hrs|second|minute|hour|day|week|month|std|stunden?|minuten?|tagen?|heures?|
    jours?)s?\.?
"""

ADVERT = r"""
    (?:-+\s*)?(?:advertisement|advert|ad|sponsored(?: content)?|publicité|anzeige|werbung)(?:\s*-+)?
    (?:story|article) continues (?:below|after).*
    continue reading below.*
    la suite après (?:la|cette) publicité
    (?:advertisement )?scroll to continue.*
    remaining ads?.*
    ad feedback
    sponsor message
    skip (?:past|advertisement|next section).*
    after newsletter promotion
    skip (?:past|advertisement|next).*
    nach der anzeige .*
    iframe: .*
"""

AGO = r"""
    (?:(?:updated|posted|published|il y a|vor)\s+)?(?:about )?(?:an?|
    \d+)\s?{unit}(?:\s+ago)?(?:\s*[·|•-].*)?(?<!\d)
    \d+\s?{unit} ago\b.{0,60}
    just now
    il y a .{1,20}
    vor .{1,15}(?:stunden|minuten|tagen)
    \d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?
"""

SHARE = r"""
    (?:share|share on|tweet|pin|follow(?: us)?(?: on)?|partager(?: sur)?|
    teilen)?[:\s]*(?:{site})(?:[\s,/|·]+(?:{site}|e-?mail|print))*
    share(?: this)?(?: (?:article|story|page|post|video))?(?: on)?:?
    (?:copy|copy the|get) link
    e-?mail
    print
    save
    bookmark
    comment
    tweet
    gift(?: this)? article
    partager(?: cet article)?
    imprimer
    envoyer par e-?mail
    (?:artikel )?teilen
    drucken
    merken
    share (?:or|and) comment\b.*
    partager la page
    [\d,.]+k? (?:shares?|views?|claps|likes?|reactions?)
    font size.*
    text size.*
    a- a a\+
    listen to (?:this )?article.*
    \d+[- ]min(?:ute)?s?(?: read)?
    .{0,20}min(?:utes?)? read
    temps de lecture.*
    lecture \d+ min.*
    lesezeit.*
    link copied!?
    (?:in|de)?s?crease (?:article )?font size
    descrease .*
    \d+-minute listen
    estimated reading time.*
    reading time.*
"""

SIGN_UP = r"""
    (?:sign up|subscribe|register|get|join|enjoying|inscrivez-vous|abonnez-vous|recevez|
    jetzt abonnieren)\b.{0,120}\b(?:newsletters?|inbox|by post|briefing|notifications?|
    (?:e-?mail|breaking|news) alerts?)\b.{0,80}
    .{0,30}\bnewsletters?
    (?:like|liked|love|enjoy|enjoying|enjoyed) (?:what you|this|our)\b.{0,40}\?.*
    (?:join|follow|get)\b.{0,60}\b(?:channel|app)
    (?:unlock|get ahead|stay informed|never miss|don[’']t miss)\b.{0,100}
    support (?:our|local|independent|quality) .*
    jetzt .{0,40}abonnieren.*
    .{0,40}infolettre.{0,60}
    (?:must be|over) (?:18|19|21)\+.*
    .*(?:play|gamble|drink) responsibly.*
    this is your last free .*
    .{0,60}provides all the news you need.*
    you have a preview view .*
    to play this video.*
    click here .*
    get (?:breaking )?news by e-?mail
    while you[’']re here\b.*
    you have \d+ free .*
    by (?:signing up|subscribing|clicking|submitting).*
    your e-?mail(?: address)?.*
    (?:enter|type) your e-?mail.*
    no thanks.*
    subscribe(?: now| today)?
    sign me up
    i[’']m in
    votre (?:adresse )?e-?mail.*
    je m[’']inscris.*
    s[’']inscrire.*
    newsletter\b.{0,60}
    name \*
    e-?mail \*
    website
    post comment
    save my name.*
    thank you for subscribing.*
    (?:we|this (?:site|website)|our (?:site|website)) uses? cookies.*
    .*\bcookies?\b.{0,60}\b(?:accept|agree|settings|policy|preferences|consent|best)\b.*
    (?:accept|reject|manage)(?: all)?(?: cookies)?
    yes, i agree
    no, take me to settings
    (?:nous|ce site).{0,30}utilis.{0,20}cookies.*
    (?:tout )?accepter
    (?:continuer sans|tout refuser).*
    paramétrer.*
    wir verwenden cookies.*
    alle akzeptieren
    ablehnen
    einstellungen
"""

PROMOTION = r"""
    (?:related|read more|read also|also read|see also|see more|more|watch|photos|pics|pictures|video|follow|
    listen|recommended|must read|don[’']t miss|in pictures|gallery|
    à lire(?: aussi)?|lire aussi|à voir aussi|voir aussi|lesen sie auch|mehr dazu|mehr zum thema|
    auch interessant)\s*(?:[:|>»-]|\s–)\s*\S.*
    (?:read more|lire la suite|weiterlesen|click here|find out more|full story|watch|watch now|play video|
    video)\s*(?:here|at|on)?\W{0,3}
    (?:sur le même sujet|à lire aussi|lire aussi|lesen sie auch|mehr zum thema|réservé aux abonnés.*|
    article réservé.*|contenu réservé.*)
    send us your .*
    get flood alerts.*
    auto-updates.*
    show \d+ new updates?
    (?:newest|oldest|latest) first
    key events
    live updates?
    download (?:the|our) app.*
    open in app
    support (?:our|local|independent) journalism.*
    donate(?: now| to .{1,40})?
"""

ENDING = r"""
    (?:the )?(?:top|latest|more|other|related|recommended|popular|trending|featured|editor[’']?s?[’']?|
    local|breaking|must[- ]read|all)(?: (?:local|top|latest|related|popular|national|world|sports?|business|
    breaking|great))* (?:stories|news(?: releases)?|headlines|articles|reads?|videos?|posts|topics|coverage|
    content|picks|links|reading)
    (?:most|best) (?:read|popular|viewed|watched|shared|commented|discussed|recent|clicked)(?: .{1,20})?
    trending(?: (?:now|today|stories|topics|on .{1,30}))?
    recommended(?: for you| stories)?
    you (?:may|might|could|will)(?: also)? (?:like|love|be interested.*|enjoy)(?: these)?.*
    (?:people|readers) (?:also|are) (?:read|liked|reading).*
    what to read next
    read next
    up next
    next (?:up|story|article|post)\b.{0,80}
    (?:previous|next)(?:ly)?(?: (?:story|article|post|in .{1,40}))?(?:: ?.{1,80})?
    more (?:on this(?: story| topic)?|from .{1,50}|in .{1,40}|about .{1,40}|like this|stories.{0,30}|
    coverage.{0,30})
    around the (?:web|network)
    from (?:our partners|around the web|the web)
    paid content
    promoted(?: content| stories)?
    sponsored (?:stories|links)
    (?:ads|content) by .{1,30}
    (?:view |show |see |read |join |post |hide )?(?:all |the |your )?(?:\d+ )?(?:comments?|responses|
    replies|conversation|discussion)(?: ?\(?\d*\)?)?(?: are closed\.?)?
    leave a (?:reply|comment).*
    comments? (?:policy|section|guidelines).*
    join the conversation.*
    log in to comment.*
    be the first to comment.*
    (?:submit|report|request|suggest|make|see) (?:a|an|for)? ?(?:correction|error|typo|mistake)s?.*
    accessibility feedback
    got a (?:tip|story).*
    have a (?:tip|story|news tip).*
    contact (?:the|our) newsroom.*
    (?:breaking news|know more|do you (?:have|know)\b.{0,60})\?.*
    .{0,60}\b(?:e-?mail|contact|write to|ring|call|text)\b.{0,60}(?:@\S+|newsdesk.*|newsroom.*)
    did you find what .*
    reuse this content.*
    on this page
    before you (?:go|leave)\b.*
    follow the topics .*
    (?:tags?|topics?|categories|category|filed under|posted in|keywords|in this story|explore more on.*|
    mots[- ]clés|étiquettes|schlagwörter|themen)\s*:.*
    related topics
    (?:follow|find|like|join|connect with) (?:us|.{1,30}) on .{1,50}
    was this (?:page|article|story|live page|information).{0,20}(?:useful|helpful)\??
    why you can trust .*
    about the (?:author|writer)s?
    our standards.*
    recently (?:played|published|viewed)
    listen on the player.*
    (?:les )?(?:plus|articles?) (?:lus|récents|populaires|commentés|consultés)
    à lire (?:aussi|également|ensuite)
    lire aussi
    (?:à|en) (?:la une|continu)
    dans la même rubrique
    sur le même thème
    nos partenaires
    (?:voir|lire|ajouter|réagir|laisser).{0,20}commentaires?.{0,15}
    commentaires?(?: ?\(\d+\))?
    réagir.{0,20}
    signaler une erreur.*
    l[’']actualité .{0,30}en continu
    vos commentaires
    (?:meistgelesen|mehr zum thema|mehr (?:aus|von|zu) .{1,30}|das könnte sie auch interessieren.*|
    auch interessant|meistgelesene artikel|weitere (?:artikel|themen|nachrichten|meldungen)|aktuelles|
    top[- ]themen|kommentare?(?: ?\(\d+\))?|zur startseite|fehler (?:melden|gefunden).*|aus dem ressort|
    neueste artikel)
"""

LEGAL = r"""
    .{0,40}(?:©|\(c\)|copyright(?:ed)?)\s*(?:\(c\)|©)?\s*(?:\d{4}|by |the ).*
    .{0,80}\ball rights reserved\b.*
    tous droits réservés.*
    alle rechte vorbehalten.*
    (?:.{0,30}[·|•,]\s*)?(?:privacy(?: policy| notice| settings)?|terms(?: (?:of (?:use|service)|
    and conditions|& conditions))?|cookie (?:policy|settings|preferences)|do not sell .*|your (?:privacy|
    ad) choices|manage cookies|mentions légales|cgu|gérer mes cookies|politique de confidentialité|
    impressum|datenschutz(?:erklärung)?|agb|modern slavery statement|advertise(?: with us)?|sitemap|
    disclaimer|public file|eeo)(?:[\s·|•].*)?(?<!\.)
    disclaimer:.*
    .*is not responsible for the content of external.*
    this material may not be (?:published|reproduced).*
"""

NAVIGATION = r"""
    (?:{navigation})(?:[\s,/|·•>›»+-]+(?:{navigation}))*
    \(button\).*
    .{1,30}\s[>›»]\s.{1,60}
    (?:sunny|cloudy|rain|snow|clear|partly cloudy|fog|windy).{0,15}-?\d+ ?°.*
    -?\d+ ?°[cf]?
"""

CREDIT_WORDS = r"""
    credits?|photo(?:graph(?:y|s)?)?s?|picture|pic|image|images|illustration|video|foto|bild|grafik|
    crédit(?: photo)?|symbolbild|handout|courtesy|file photo|archivfoto|archives?
"""

PUBLISHED = r"""
    posted
    published
    publiée?
    first published
    started
    created
    date
    veröffentlicht
    erstellt
    mis en ligne
"""

UPDATED = r"""
    (?:last )?(?:updated|modified|edited|revised)
    (?:dernière )?mise? à jour
    modifié
    aktualisiert
    stand
    geändert
"""

BY = r"""
    by
    authors?
    (?:written|story|reported|words) by
    (?:texte )?par
    (?:text )?von
    propos recueillis par
"""

ROLE = r"""
    (?:(?:senior|chief|staff|special|political|business|sports?|health|science|court|crime|education|
    environment|local|national|foreign|city|features?|investigative|contributing|multimedia|breaking news|
    digital|data|our)\s+)*(?:reporters?|correspondents?|editors?|writers?|columnists?|staff|journalists?|
    producer|contributor|rédaction|redakteure?|redaktion)
"""

ORGANISATION_WORDS = r"""
    press|presse|news|wire|times|post|herald|courier|gazette|tribune|journal|agency|agence|agentur|observer|
    record|standard|daily|radio|broadcasting|television|tv|media|network|reuters|afp|dpa|bloomberg|magazine|
    review|chronicle|star|sun|globe|mail|mirror|sentinel|argus|advocate|enterprise|beacon|banner|leader|
    register|mercury|express|eagle|monitor|ledger|voice|bugle|clarion|inquirer|citizen|independent|guardian|
    telegraph|echo|dispatch|examiner|bulletin|desk|service|packet|figaro|monde|parisien|dépêche|libre|
    zeitung|anzeiger|rundschau|tagblatt|allgemeine
"""
