// The room that speaks to PostgreSQL, over libpq. It knows nothing of rollups.
//
// Values        what crosses the wire, always in PostgreSQL's binary format
// Statements    a statement is text and binds; `Query` is how one writes it
// Results       the rows that come back
// Errors        what can go wrong, by SQLSTATE, with no patient's data in it
// Connection    one session of the server: an actor with its own thread
// Copy          COPY in both directions, as streams
// Transactions  BEGIN to COMMIT around a closure, savepoints, retries
// Pool          a bounded set of connections; what it decides is the value `PoolState`
// Server        where the database is, and the private server of someone who has none
//
// Read `Connection` first, then `Transaction`, then `Pool`.
