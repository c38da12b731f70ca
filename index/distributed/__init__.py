"""Reading and embedding on other machines: what one process does too slowly, many do at once.

`cluster` is the one module that knows Ray. `crew` gives work to workers that come, go and die; `embedding` and
`reading` are the two kinds of work: how it is cut, what a worker does with it, and how results come back in order.
The pipeline (`index.ingest`) stays where the catalog is: order, identity, copies, reuse and commits are decided in
one place, as without a cluster.

Ray Core, its actors, and not Ray Data: what has to be embedded is decided batch by batch, by a look into a catalog that
the batch before has changed, so with Ray Data each batch would be an execution of its own, which starts its actors and
loads the model anew; and what Ray Data loses with a node it makes again from its source, but a crawl or standard
input cannot be read twice. Here an actor lives as long as the run, and what was handed out is kept until it is back.
"""
