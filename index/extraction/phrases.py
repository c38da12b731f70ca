"""The words by which pages are known that are no articles, and lines that are no story.

One pattern a line, found anywhere in a text unless it begins with ^, without regard to case; a pattern
that ends in | goes on in the next line. The words are those of publishers and web servers in the
languages that their readers use. What stands around stories in plain text is in
`index.cleaning.phrases`.
"""

import re

from index.cleaning.phrases import alternatives

ERROR = r"""
    \b(?:error|http)[ :]*[45]\d\d\b
    ^\W*[45]0\d\W*(?:$|error|not|page|[-–|:])
    \b(?:page|seite|página|pagina|sida|siden|strona|stránka|страница)\b.{0,20}(?:not found|nicht gefunden|
    no encontrada|não encontrada|non trovata|niet gevonden|introuvable|non trouvée|hittades inte|ikke funnet|
    ikke fundet|nie znaleziona|nenalezena|не найдена|unavailable|does(?: not|n[’']t) exist)
    \b(?:access denied|forbidden|bad gateway|service (?:temporarily )?unavailable|internal server error|
    not found)\W*$
    ^(?:access denied|just a moment|attention required|pardon our interruption|security check|request blocked)\b
    \b(?:are you a robot|verify (?:that )?you are (?:a )?human|unusual traffic|checking your browser)\b
"""

SCRIPT_NEEDED = r"""
    \b(?:enable|activate|turn on|requires?|need|aktivieren sie(?: bitte)?|activer|active|habilite|
    schakel)\s+java\s?script\b
    \bjava\s?script (?:is|ist|est|está|è|must be) (?:currently )?(?:disabled|required|needed|enabled|not enabled|
    not available|turned off|deaktiviert|erforderlich|désactivé|requis|desactivado|disabilitato)\b
    \bjava\s?script (?:in ihrem browser )?(?:zu )?aktivieren\b
"""

LOGIN = r"""
    \b(?:log ?in|log on|sign ?in|sign ?up|register|create (?:an |your )?account|your account|password)\b
    \b(?:anmelde\w*|einloggen|registrier\w+|passwort)\b
    \b(?:connexion|se connecter|mot de passe)\b
    \b(?:iniciar sesi[oó]n|contraseña|accedi|inloggen|logga in|logg inn|log ind|zaloguj|přihlášení)\b
"""

CONSENT = r"""
    \b(?:cookies?|consent|privacy|personali[sz]ed (?:ads|content)|our partners|legitimate interest)\b
    \b(?:einwilligung|zustimm\w+|datenschutz\w*|unsere partner)\b
    \b(?:consentement|vie privée|nos partenaires|consentimiento|consenso)\b
"""

PAYWALL = r"""
    \b(?:subscribe|sign up|log in|register|join)\b.{0,40}\bto (?:continue|read|keep|unlock|access)\b
    \b(?:subscribe|sign up|register)\b.{0,40}\bfor (?:full|unlimited) access\b
    \b(?:this|the) (?:article|story|content) is (?:only |exclusively )?(?:for|available to|reserved for) (?:our |
    )?(?:subscribers|members|premium)\b
    \b(?:subscribers?|members?)[- ]only (?:article|story|content)\b
    \bto (?:continue reading|read (?:the (?:full|rest)|more of|this))\b.{0,80}\b(?:subscri\w+|member\w*|account|
    log in)\b
    \balready a (?:subscriber|member)\b
    \bunlock this article\b
    \b(?:jetzt|gleich) weiterlesen\b
    \bweiterlesen mit\b
    \bnur für abonnent\w*
    \bsie haben (?:bereits|schon) ein abo\b
    \bdieser artikel ist .{0,40}(?:abonnent|exklusiv|kostenpflichtig)
    \b(?:article|contenu) réservé aux abonnés\b
    \bil vous reste .{1,20}% de (?:cet article|l[’']article)
    \bdéjà abonné\b
    \bpour lire la suite\b
    \bcontenido exclusivo para suscriptores\b
    \bpara seguir leyendo\b
    \bcontenuto riservato agli abbonati\b
    \bper continuare a leggere\b
    \bconteúdo exclusivo para assinantes\b
    \balleen voor abonnees\b
    \bför prenumeranter\b
    \bfor abonnenter\b
    会員限定|有料会員|続きを読むには|残り\d+文字
"""

# Lines between the paragraphs of a story that are no story: ways to reach the newsroom, newsletters,
# shops, frames around content from elsewhere.
INSERTED = r"""
    ^(?:write to|e-?mail|contact|follow|reach|you can (?:reach|follow|contact)) .{0,80}(?:@|
    on (?:twitter|x|facebook|instagram|google news))
    ^(?:do you )?(?:have|got) (?:a|any) (?:news |story )?tips?\b
    \b(?:may|can) be reached at \S+@
    ^(?:chat with|message|find|like|join) us (?:in|on|at)\b
    ^(?:sign up|subscribe|register|click here to subscribe|get the latest)\b.{0,160}\b(?:newsletters?|inbox|e-?mails?|
    alerts|updates|offers|free trial|subscri\w+)\b
    \bsubscribe to .{1,60} newsletters?\b
    \b(?:sign up|subscribe) (?:for|to) .{1,60}\b(?:newsletters?|alerts)\b
    ^if you (?:buy|purchase|click).{0,80}\b(?:links?|post|stories)\b.{0,80}\b(?:commission|share|earn)\b
    \bmay (?:earn|receive|get) (?:a|an)? ?(?:affiliate )?(?:commission|share of)\b
    会員限定|有料会員|会員登録|読み放題|無料会員|続きを読む
    \bexterne[rn]? inhalte? (?:angezeigt|von)\b
    \bempfohlener (?:redaktioneller|externer) inhalt\b
    \bausgewählten,? externen inhalt\b
"""

UPDATED = r"""
    ^(?:last )?(?:updated|modified|published|posted)\b
    ^(?:aktualisiert|zuletzt|stand)\b
    ^(?:mis à jour|publié)\b
"""

BY = r"""
    ^(?:by|words|written by|von|text|texte|autor|author|autore|par|por|di|de|av|af|door)\b:?\s+(?-i:[A-ZÀ-Þ])
"""


def compiled(patterns: str) -> re.Pattern[str]:
    """The patterns of one list as one, without regard to case."""
    return re.compile(alternatives(patterns), re.IGNORECASE)
