-- The ground: workspaces, the inbox, the ledger, what routing knows, and the desk's sessions.
-- Runs as the owner. {app} and {cell} are the names of the application's role and of the role that crosses workspaces.

CREATE TABLE workspace (
    workspace  text PRIMARY KEY,
    position   bigint NOT NULL DEFAULT 0,   -- of the last fact; taken under this row's lock
    version    bigint NOT NULL DEFAULT 0,   -- of the routing state; a cache of another version is stale
    policy     text,                        -- digest of the policy in force
    created_at timestamptz NOT NULL DEFAULT now()
);

-- How to reach a workspace's Intercom. Apart from the row above, which every transaction writes.
CREATE TABLE connection (
    workspace     text PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    app_id        text NOT NULL UNIQUE,
    name          text NOT NULL,
    region        text NOT NULL,
    api_url       text NOT NULL,
    client_secret text NOT NULL,
    access_token  text NOT NULL,
    actor         bigint NOT NULL,           -- the admin our calls act as
    package_code  text                       -- marks conversation parts that we made
);

CREATE TABLE inbox (
    workspace    text NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    notification text NOT NULL,
    topic        text NOT NULL,
    body         bytea NOT NULL,
    copies       integer NOT NULL DEFAULT 1, -- how often it was delivered
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    handled_at   timestamptz,
    outcome      text,                       -- fact, late, ignored
    reason       text,
    PRIMARY KEY (workspace, notification)
) WITH (fillfactor = 85);
CREATE INDEX inbox_unhandled ON inbox (workspace, seq) WHERE handled_at IS NULL;
CREATE INDEX inbox_age ON inbox (received_at);

CREATE TABLE ledger (
    workspace    text NOT NULL,
    position     bigint NOT NULL,
    kind         text NOT NULL,
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    conversation bigint,
    engineer     bigint,
    data         jsonb NOT NULL,
    PRIMARY KEY (workspace, position)
);
CREATE INDEX ledger_conversation ON ledger (workspace, conversation, position) WHERE conversation IS NOT NULL;

-- Routing's state: what the facts so far amount to. `value` is the whole, the columns are for questions.
CREATE TABLE conversation (
    workspace    text NOT NULL,
    conversation bigint NOT NULL,
    open         boolean NOT NULL,
    owner        bigint,
    team         bigint,
    topic        text NOT NULL,
    weight       integer NOT NULL,
    since        timestamptz NOT NULL,
    version      bigint NOT NULL,
    value        jsonb NOT NULL,
    PRIMARY KEY (workspace, conversation)
) WITH (fillfactor = 80);
CREATE INDEX conversation_open ON conversation (workspace) WHERE open;

CREATE TABLE engineer (
    workspace text NOT NULL,
    engineer  bigint NOT NULL,
    version   bigint NOT NULL,
    value     jsonb NOT NULL,
    PRIMARY KEY (workspace, engineer)
) WITH (fillfactor = 80);

CREATE TABLE team (
    workspace text NOT NULL,
    team      bigint NOT NULL,
    version   bigint NOT NULL,
    members   bigint[] NOT NULL,
    PRIMARY KEY (workspace, team)
);

CREATE TABLE decision (
    workspace      text NOT NULL,
    decision       bigint NOT NULL,          -- the position of its fact
    conversation   bigint NOT NULL,
    at             timestamptz NOT NULL,
    topic          text NOT NULL,
    weight         integer NOT NULL,
    team           bigint,
    matches        jsonb NOT NULL,
    winner         bigint NOT NULL,
    winner_load    integer NOT NULL,
    runner_up      bigint,
    runner_up_load integer,
    policy         text NOT NULL,
    engine         integer NOT NULL,
    digest         bytea NOT NULL,
    outcome        text NOT NULL DEFAULT 'pending', -- pending, delivered, overtaken, failed
    settled_at     timestamptz,
    reason         text,
    PRIMARY KEY (workspace, decision)
);
CREATE INDEX decision_conversation ON decision (workspace, conversation, decision);
CREATE INDEX decision_pending ON decision (workspace, at) WHERE outcome = 'pending';

-- The state at a position, to replay from. Ids and numbers only.
CREATE TABLE snapshot (
    workspace text NOT NULL,
    position  bigint NOT NULL,
    state     bytea NOT NULL,
    PRIMARY KEY (workspace, position)
);

CREATE TABLE policy (
    workspace  text NOT NULL,
    digest     text NOT NULL,
    text       text NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, digest)
);

-- Personal data: apart, with a retention, and never in a fact.
CREATE TABLE conversation_text (
    workspace    text NOT NULL,
    conversation bigint NOT NULL,
    subject      text NOT NULL,
    body         text NOT NULL,
    tags         text[] NOT NULL,
    attributes   jsonb NOT NULL,
    language     text NOT NULL,
    contact      text NOT NULL,              -- name or address the desk may show
    stored_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, conversation)
);
CREATE INDEX conversation_text_age ON conversation_text (stored_at);

CREATE TABLE teammate_name (
    workspace text NOT NULL,
    engineer  bigint NOT NULL,
    name      text NOT NULL,
    zone      text NOT NULL DEFAULT '',
    seen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, engineer)
);

CREATE TABLE team_name (
    workspace text NOT NULL,
    team      bigint NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (workspace, team)
);

-- Until people can sign in: one-time links that the command line prints, and the sessions they open. Cell scope.
CREATE TABLE desk_link (
    token_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE TABLE desk_session (
    token_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

-- Row-level security: the application sees the workspace its transaction named, and nothing when it named none.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workspace', 'connection', 'inbox', 'ledger', 'conversation', 'engineer', 'team', 'decision',
                                'snapshot', 'policy', 'conversation_text', 'teammate_name', 'team_name'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_workspace ON %I TO {app} USING (workspace = current_setting(''steelyard.workspace'', true))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
    END LOOP;
END $$;
-- Facts are append-only for the application; only erasure, which is the owner's, removes them.
REVOKE UPDATE, DELETE ON ledger FROM {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON desk_link, desk_session TO {app};

-- The one role that crosses workspaces. It has no login; its functions are the only way to it.
GRANT SELECT ON connection, workspace TO {cell};
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox TO {cell};
GRANT SELECT, DELETE ON conversation_text, teammate_name TO {cell};
CREATE POLICY across ON connection FOR SELECT TO {cell} USING (true);
CREATE POLICY across ON workspace FOR SELECT TO {cell} USING (true);
CREATE POLICY across ON inbox TO {cell} USING (true) WITH CHECK (true);
CREATE POLICY across ON conversation_text TO {cell} USING (true);
CREATE POLICY across ON teammate_name TO {cell} USING (true);

-- The workspace and secret that a webhook's app_id names. Cached by the caller.
CREATE FUNCTION secret_of_app(wanted text) RETURNS TABLE (workspace text, client_secret text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT connection.workspace, connection.client_secret FROM connection WHERE connection.app_id = wanted
$$;

-- Stores one commit's worth of webhooks, of any workspaces, in the order they came. A copy, of a stored one or of one
-- in the same batch, is counted, not stored. Returns how many were new.
CREATE FUNCTION store_batch(workspaces text[], notifications text[], topics text[], bodies bytea[]) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH stored AS (
        INSERT INTO inbox (workspace, notification, topic, body, copies)
        SELECT came.workspace, came.notification, (array_agg(came.topic))[1], (array_agg(came.body))[1], count(*)
        FROM unnest(workspaces, notifications, topics, bodies) WITH ORDINALITY
            AS came (workspace, notification, topic, body, place)
        GROUP BY came.workspace, came.notification
        ORDER BY min(came.place)
        ON CONFLICT (workspace, notification) DO UPDATE SET copies = inbox.copies + excluded.copies
        RETURNING (xmax = 0) AS new
    )
    SELECT count(*) FILTER (WHERE new)::integer FROM stored
$$;

-- The workspaces with something to route, the longest waiting first.
CREATE FUNCTION workspaces_with_work() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT workspace.workspace FROM workspace
    CROSS JOIN LATERAL (
        SELECT seq FROM inbox WHERE inbox.workspace = workspace.workspace AND inbox.handled_at IS NULL ORDER BY seq LIMIT 1
    ) AS first
    ORDER BY first.seq
$$;

-- All workspaces of this cell, for start-up and for rounds such as reconciling.
CREATE FUNCTION workspaces_of_cell() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT workspace.workspace FROM workspace ORDER BY 1
$$;

-- What has outlived its retention goes, in batches of `most` rows. Each holds its own shortest age, so that no caller can
-- remove another workspace's younger rows; store/retention.py repeats the ages and says why.
CREATE FUNCTION expire_inbox(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM inbox WHERE (workspace, notification) IN (
            SELECT workspace, notification FROM inbox
            WHERE received_at < least(before, now() - interval '30 days') AND handled_at IS NOT NULL
            ORDER BY received_at LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_conversation_text(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM conversation_text WHERE (workspace, conversation) IN (
            SELECT workspace, conversation FROM conversation_text
            WHERE stored_at < least(before, now() - interval '90 days')
            ORDER BY stored_at LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_teammate_name(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM teammate_name WHERE (workspace, engineer) IN (
            SELECT workspace, engineer FROM teammate_name
            WHERE seen_at < least(before, now() - interval '365 days')
            ORDER BY seen_at LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- The crossing functions: owned by {cell}, open to the application, closed to everybody else.
DO $$
DECLARE crossing regprocedure;
BEGIN
    FOREACH crossing IN ARRAY ARRAY[
        'secret_of_app(text)', 'store_batch(text[], text[], text[], bytea[])', 'workspaces_with_work()',
        'workspaces_of_cell()', 'expire_inbox(timestamptz, integer)', 'expire_conversation_text(timestamptz, integer)',
        'expire_teammate_name(timestamptz, integer)']::regprocedure[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {app}', crossing);
        EXECUTE format('ALTER FUNCTION %s OWNER TO {cell}', crossing);
    END LOOP;
END $$;
