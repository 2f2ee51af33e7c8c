-- The toolbox: hosts and sites, runs with their steps and what they said, core slots, findings, the handbook.
-- Runs as the owner. {app} and {cell} are the names of the application's role and of the role that crosses workspaces.

-- Also what was done by the command line.
DROP INDEX ledger_audit;
CREATE INDEX ledger_audit ON ledger (workspace, position) WHERE person IS NOT NULL OR kind LIKE 'person.%'
    OR kind LIKE 'run.%' OR kind LIKE 'site.%' OR kind LIKE 'host.%' OR kind LIKE 'toolbox.%' OR kind LIKE 'handbook.%'
    OR kind IN ('token.made', 'token.revoked', 'settings.changed', 'notification.changed', 'policy.adopted',
                'routing.switched', 'engineer.rotation_changed', 'engineer.away_asked', 'engineer.away_refused',
                'conversation.move_asked', 'conversation.moved', 'conversation.move_overtaken',
                'conversation.move_refused', 'aside.retried', 'conversation.read_asked', 'reading.asked');

-- What people choose for a workspace.
ALTER TABLE workspace
    ADD COLUMN approve_destroys boolean NOT NULL DEFAULT false, -- whether what destroys needs a second person
    ADD COLUMN keep_trash integer NOT NULL DEFAULT 7,           -- days in which a run can be undone
    ADD COLUMN runs_at_once integer NOT NULL DEFAULT 5;         -- of one request for several sites

-- A key with which workers sign in on hosts. The private half is sealed under the worker's key.
CREATE TABLE ssh_key (
    workspace   text NOT NULL,
    ssh_key     bigint GENERATED ALWAYS AS IDENTITY,
    name        text NOT NULL,
    public      text NOT NULL,                    -- as in authorized_keys
    private     text NOT NULL DEFAULT '',         -- sealed; empty once revoked
    certificate text NOT NULL DEFAULT '',         -- OpenSSH, public; empty where there is none
    certified_until timestamptz,                  -- when the certificate ends; NULL: there is none, or it never does
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    PRIMARY KEY (workspace, ssh_key)
);
CREATE UNIQUE INDEX ssh_key_name ON ssh_key (workspace, name) WHERE revoked_at IS NULL;

CREATE TABLE host (
    workspace  text NOT NULL,
    host       bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    address    text NOT NULL,
    port       integer NOT NULL DEFAULT 22,
    account    text NOT NULL,                     -- the support account
    host_key   text NOT NULL,                     -- pinned, as in known_hosts: kind and key
    via        bigint,                            -- the host through which it is reached
    ssh_key    bigint,                            -- NULL: the worker's own machine
    local      boolean NOT NULL DEFAULT false,    -- whether it is the worker's own machine, reached without SSH
    hints      jsonb NOT NULL DEFAULT '{}',       -- what cannot be found out: see docs/reference/hints.md
    facts      jsonb NOT NULL DEFAULT '{}',       -- what was found on it; no secrets
    checked_at timestamptz,
    added_at   timestamptz NOT NULL,
    look_asked_at timestamptz,                    -- since when a worker is to look at it; NULL: none is
    found      jsonb,                             -- the sites that were found on it: hostile; NULL: nobody looked
    found_at   timestamptz,
    removed_at timestamptz,
    PRIMARY KEY (workspace, host),
    FOREIGN KEY (workspace, via) REFERENCES host,
    FOREIGN KEY (workspace, ssh_key) REFERENCES ssh_key,
    CHECK (local OR ssh_key IS NOT NULL)
);
CREATE UNIQUE INDEX host_name ON host (workspace, name) WHERE removed_at IS NULL;

-- What a host's services ask for, such as the address of Redis with its administrator's password.
CREATE TABLE host_secret (
    workspace text NOT NULL,
    host      bigint NOT NULL,
    name      text NOT NULL,
    sealed    text NOT NULL,                      -- under the worker's key
    set_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace, host, name),
    FOREIGN KEY (workspace, host) REFERENCES host ON DELETE CASCADE
);

CREATE TABLE site (
    workspace  text NOT NULL,
    site       bigint GENERATED ALWAYS AS IDENTITY,
    host       bigint NOT NULL,
    name       text NOT NULL,                     -- its main domain
    url        text NOT NULL,
    docroot    text NOT NULL,
    account    text NOT NULL,                     -- whose files they are
    site_group text NOT NULL DEFAULT '',
    hints      jsonb NOT NULL DEFAULT '{}',       -- these win over its host's
    facts      jsonb NOT NULL DEFAULT '{}',       -- what was found on it; no secrets
    checked_at timestamptz,
    added_at   timestamptz NOT NULL,
    look_asked_at timestamptz,                    -- since when a worker is to look at it; NULL: none is
    removed_at timestamptz,
    PRIMARY KEY (workspace, site),
    FOREIGN KEY (workspace, host) REFERENCES host
);
CREATE UNIQUE INDEX site_name ON site (workspace, name) WHERE removed_at IS NULL;
CREATE INDEX site_host ON site (workspace, host);

-- Which roles may run how much on which group of sites. Without a row, what the role's permissions say.
CREATE TABLE toolbox_rule (
    workspace  text NOT NULL,
    site_group text NOT NULL,
    role       text NOT NULL,
    most       text NOT NULL,                     -- nothing, reads, changes or destroys
    PRIMARY KEY (workspace, site_group, role)
);

-- One request for several sites.
CREATE TABLE batch (
    workspace  text NOT NULL,
    batch      bigint GENERATED ALWAYS AS IDENTITY,
    runbook    text NOT NULL,
    at_once    integer NOT NULL,
    most_failures integer NOT NULL,               -- after so many failed runs the rest is not begun
    person     bigint,
    asked_at   timestamptz NOT NULL,
    confirmed_at timestamptz,
    confirmed_by bigint,                          -- NULL: the command line, or this machine
    approver   bigint,
    approved_at timestamptz,
    stopped_at timestamptz,                       -- since when no further run of it is begun
    PRIMARY KEY (workspace, batch)
);

-- A plan, and its execution once somebody confirmed it.
CREATE TABLE run (
    workspace  text NOT NULL,
    run        bigint GENERATED ALWAYS AS IDENTITY,
    token      text NOT NULL,                     -- names what it makes on the host
    runbook    text NOT NULL,
    digest     text NOT NULL,                     -- of the runbook's folder
    risk       text NOT NULL,
    site       bigint NOT NULL,
    batch      bigint,
    undoes     bigint,                            -- the run that it puts back
    params     jsonb NOT NULL,
    sealed     jsonb NOT NULL DEFAULT '{}',       -- secret parameters, sealed for workers; empty once it ended
    state      text NOT NULL,                     -- see toolbox/states.py
    reason     jsonb,                             -- why it is in that state, as a saying with its code
    person     bigint,                            -- who asked; NULL: the command line, or this machine
    why        text NOT NULL DEFAULT '',          -- the ticket, in their words
    conversation bigint,
    plan       jsonb,                             -- checks, what it concerns, warnings, what is left, what it keeps
    plan_digest text NOT NULL DEFAULT '',
    expected_ms integer NOT NULL DEFAULT 0,       -- what it is expected to take
    minutes    integer NOT NULL,                  -- what it takes by hand
    asked_at   timestamptz NOT NULL,
    planned_at timestamptz,
    holds_until timestamptz,                      -- until when its plan can be confirmed
    confirmed_at timestamptz,
    confirmed_by bigint,                          -- NULL: the command line, or this machine
    approver   bigint,
    approved_at timestamptz,
    started_at timestamptz,
    ended_at   timestamptz,
    took_ms    integer,
    cancelled_by bigint,
    cancel_at  timestamptz,                       -- since when it is to stop after the step it is at
    undo_until timestamptz,                       -- NULL: it cannot be undone
    undone_by  bigint,                            -- the run that put it back
    erased_at  timestamptz,                       -- when what it moved aside was removed
    attempt    integer NOT NULL DEFAULT 0,        -- how many workers began it: a later one takes it from an earlier
    report     jsonb,                             -- what it found, where that is what it is for
    PRIMARY KEY (workspace, run),
    FOREIGN KEY (workspace, site) REFERENCES site,
    FOREIGN KEY (workspace, batch) REFERENCES batch
);
CREATE UNIQUE INDEX run_token ON run (workspace, token);
CREATE INDEX run_site ON run (workspace, site, run);
CREATE INDEX run_batch ON run (workspace, batch) WHERE batch IS NOT NULL;
CREATE INDEX run_conversation ON run (workspace, conversation) WHERE conversation IS NOT NULL;
CREATE INDEX run_erase ON run (workspace, undo_until) WHERE undo_until IS NOT NULL AND erased_at IS NULL;

-- The journal. A step with an intent and no receipt may have been done.
CREATE TABLE run_step (
    workspace  text NOT NULL,
    run        bigint NOT NULL,
    step       integer NOT NULL,                  -- its place, from 0; those that put back come after
    phase      text NOT NULL,                     -- do, check or undo
    name       text NOT NULL,
    title      jsonb NOT NULL,
    says       jsonb NOT NULL,
    work       jsonb NOT NULL,                    -- its actions and probe, whether it touches and is always done
    expected_ms integer NOT NULL,                 -- what it is expected to take
    intent_at  timestamptz,
    receipt_at timestamptz,
    outcome    text NOT NULL DEFAULT '',          -- done, found (done before a kill), failed or left_out
    took_ms    integer,
    result     jsonb,                             -- what it answered, shortened; no secrets
    progress   jsonb,                             -- how far it is: done, total, of what
    PRIMARY KEY (workspace, run, step),
    FOREIGN KEY (workspace, run) REFERENCES run ON DELETE CASCADE
);

-- What it said while it ran: text from a customer's machine, never more than text.
CREATE TABLE run_line (
    workspace text NOT NULL,
    run       bigint NOT NULL,
    line      integer NOT NULL,
    step      integer NOT NULL,
    at_ms     integer NOT NULL,                   -- since the run began
    level     text NOT NULL,                      -- info, warning or error
    said      text NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (workspace, run, line),
    FOREIGN KEY (workspace, run) REFERENCES run ON DELETE CASCADE
);
CREATE INDEX run_line_age ON run_line (at);

-- What a scan found.
CREATE TABLE finding (
    workspace text NOT NULL,
    run       bigint NOT NULL,
    finding   integer NOT NULL,
    kind      text NOT NULL,                      -- file, core, option, post, user, cron
    place     text NOT NULL,                      -- a path or a row: hostile text
    severity  text NOT NULL,                      -- malicious, suspicious or odd
    rule      text NOT NULL,
    pack      text NOT NULL,
    author    text NOT NULL DEFAULT '',
    licence   text NOT NULL DEFAULT '',
    about     text NOT NULL DEFAULT '',           -- what the rule says of itself; hostile text
    evidence  text NOT NULL,                      -- a few lines around what matched: hostile text
    sha256    text NOT NULL DEFAULT '',
    quarantined boolean NOT NULL DEFAULT false,
    at        timestamptz NOT NULL,
    PRIMARY KEY (workspace, run, finding),
    FOREIGN KEY (workspace, run) REFERENCES run ON DELETE CASCADE
);

-- What the last scan of a site saw, so that the next looks only at what changed.
CREATE TABLE scan_memory (
    workspace text NOT NULL,
    site      bigint NOT NULL,
    rules     text NOT NULL,                      -- digest of all rules it was judged by
    seen      bytea NOT NULL,                     -- compressed: path, size, times, SHA-256
    at        timestamptz NOT NULL,
    PRIMARY KEY (workspace, site),
    FOREIGN KEY (workspace, site) REFERENCES site ON DELETE CASCADE
);

-- The team's documentation, beside what ships. A row of the same slug and language stands before a shipped page.
CREATE TABLE handbook_page (
    workspace  text NOT NULL,
    slug       text NOT NULL,
    language   text NOT NULL,
    page       bigint GENERATED ALWAYS AS IDENTITY, -- its number, for facts
    own        boolean NOT NULL DEFAULT true,     -- false: the text is the shipped page's, and empty here
    title      text NOT NULL,
    body       text NOT NULL,                     -- Markdown
    topics     text[] NOT NULL DEFAULT '{}',
    runbooks   text[] NOT NULL DEFAULT '{}',
    folded     text NOT NULL,                     -- words without accents, in lower case: the title's, a line's end, the body's
    words      tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector(CASE language WHEN 'fr' THEN 'french'::regconfig ELSE 'english'::regconfig END,
                              split_part(folded, E'\n', 1)), 'A')
        || to_tsvector(CASE language WHEN 'fr' THEN 'french'::regconfig ELSE 'english'::regconfig END,
                       split_part(folded, E'\n', 2))) STORED,
    source     text NOT NULL DEFAULT '',          -- the file it was imported from
    imported   text NOT NULL DEFAULT '',          -- digest of its text as it was imported
    before     jsonb,                             -- the text that the last change replaced
    changed_at timestamptz NOT NULL,
    changed_by bigint,
    checked_at timestamptz,                       -- when somebody last said that it is right
    checked_by bigint,
    was_checked_at timestamptz,                   -- the same before that, for who takes it back
    was_checked_by bigint,
    removed_at timestamptz,
    PRIMARY KEY (workspace, slug, language)
);
CREATE INDEX handbook_page_words ON handbook_page USING gin (words);

-- What everybody seals for workers with, who alone can open it: the public half of their newest key.
CREATE TABLE sealing_key (
    number    integer PRIMARY KEY,
    public    text NOT NULL
);

-- Of the cell: what operators load, the same for all its workspaces.
CREATE TABLE slot (
    kind      text NOT NULL,                      -- core, plugin or theme
    slug      text NOT NULL,
    version   text NOT NULL,
    locale    text NOT NULL DEFAULT '',
    archive   text NOT NULL,                      -- SHA-256 of the archive it was unpacked from
    files     integer NOT NULL,
    bytes     bigint NOT NULL,
    manifest  bytea NOT NULL,                     -- compressed JSON: path, size, SHA-256
    signature bytea NOT NULL,                     -- Ed25519 by the operator's key over the manifest and what it is of
    template  text NOT NULL DEFAULT '',           -- SQL of a fresh database
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (kind, slug, version, locale)
);
CREATE TABLE rule_pack (
    name      text PRIMARY KEY,
    licence   text NOT NULL,
    severity  text NOT NULL,                      -- what its hits are worth where a rule does not say
    sha256    text NOT NULL,
    rules     text NOT NULL,                      -- YARA
    loaded_at timestamptz NOT NULL
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ssh_key', 'host', 'host_secret', 'site', 'toolbox_rule', 'batch', 'run', 'run_step',
                                'run_line', 'finding', 'scan_memory', 'handbook_page'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
        EXECUTE format('CREATE POLICY own_workspace ON %I TO {app} USING (workspace = current_setting(''steelyard.workspace'', true))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['slot', 'rule_pack', 'sealing_key'] LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {app}', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['run', 'run_line', 'finding'] LOOP
        EXECUTE format('GRANT SELECT, DELETE ON %I TO {cell}', name);
        EXECUTE format('CREATE POLICY across ON %I TO {cell} USING (true)', name);
    END LOOP;
END $$;

CREATE FUNCTION expire_run_line(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM run_line WHERE (workspace, run, line) IN (
            SELECT each.workspace, each.run, each.line FROM run_line AS each
            WHERE each.at <= least(before, now() - interval '90 days') LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION expire_finding(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM finding WHERE (workspace, run, finding) IN (
            SELECT each.workspace, each.run, each.finding FROM finding AS each
            WHERE each.at <= least(before, now() - interval '365 days') LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- Plans that nobody confirmed: they did nothing.
CREATE FUNCTION expire_run(before timestamptz, most integer) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM run WHERE (workspace, run) IN (
            SELECT each.workspace, each.run FROM run AS each
            WHERE each.confirmed_at IS NULL AND each.state NOT IN ('planning')
                  AND each.asked_at <= least(before, now() - interval '7 days') LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

DO $$
DECLARE crossing regprocedure;
BEGIN
    FOREACH crossing IN ARRAY ARRAY['expire_run_line(timestamptz, integer)', 'expire_finding(timestamptz, integer)',
                                    'expire_run(timestamptz, integer)']::regprocedure[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', crossing);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {app}', crossing);
        EXECUTE format('ALTER FUNCTION %s OWNER TO {cell}', crossing);
    END LOOP;
END $$;
