"""Tables as the older REST service's ORM makes them, in a PostgreSQL, and something in them."""

TABLES = """
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
CREATE TABLE subtenants (
  id uuid PRIMARY KEY, created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now());
CREATE TABLE assistants (
  id uuid PRIMARY KEY, subtenant_id uuid REFERENCES subtenants, name varchar(255) NOT NULL, description text,
  system_prompt text, enabled_functions json, enabled_mcp_tools json, function_parameters json,
  mcp_tool_parameters json, is_active boolean, created_at timestamp, updated_at timestamp);
CREATE TABLE chats (
  id uuid PRIMARY KEY, subtenant_id uuid NOT NULL REFERENCES subtenants, title varchar(255), system_message text,
  assistant_id uuid REFERENCES assistants, enabled_functions json, enabled_mcp_tools json,
  created_at timestamp, updated_at timestamp, colour text);
CREATE TABLE messages (
  id uuid PRIMARY KEY, chat_id uuid NOT NULL REFERENCES chats, role varchar(50) NOT NULL, content text,
  tool_calls json, tool_call_id varchar(255), name varchar(255), enabled_functions json, enabled_mcp_tools json,
  created_at timestamp);
CREATE TABLE memories (
  id uuid PRIMARY KEY, subtenant_id uuid NOT NULL REFERENCES subtenants, key varchar(255) NOT NULL, value text NOT NULL,
  created_at timestamp, updated_at timestamp, UNIQUE (subtenant_id, key));
CREATE TABLE request_logs (id uuid PRIMARY KEY, provider varchar(50), tokens integer);
"""

ANNA = "11111111-1111-4111-8111-111111111111"
HELPER = "22222222-2222-4222-8222-222222222222"
TRIP = "33333333-3333-4333-8333-333333333333"

ROWS = f"""
INSERT INTO subtenants VALUES ('{ANNA}', '2025-03-01 10:00:00', '2025-03-01 10:00:00');
INSERT INTO assistants VALUES ('{HELPER}', NULL, 'Helper', NULL, 'Be kind.', '["calculator"]', NULL, '{{}}', NULL, true,
  '2025-03-01 10:00:00', '2025-03-01 10:00:00');
INSERT INTO chats VALUES ('{TRIP}', '{ANNA}', 'Trip', 'Answer in verse.', '{HELPER}', '["calculator"]', '[]',
  '2025-03-01 11:00:00', '2025-03-02 11:00:00', 'red');
INSERT INTO messages VALUES
  ('ffffffff-0000-4000-8000-000000000001', '{TRIP}', 'user', 'What is 15 * 23?', NULL, NULL, NULL,
   NULL, NULL, '2025-03-01 11:00:01'),
  ('eeeeeeee-0000-4000-8000-000000000002', '{TRIP}', 'assistant', '',
   '[{{"id": "call_1", "type": "function", "function": {{"name": "calculator", "arguments": "{{\\"e\\": 1.0}}"}}}}]',
   NULL, NULL, NULL, NULL, '2025-03-01 11:00:02'),
  ('dddddddd-0000-4000-8000-000000000003', '{TRIP}', 'tool', '345', NULL, 'call_1', NULL,
   NULL, NULL, '2025-03-01 11:00:02'),
  ('cccccccc-0000-4000-8000-000000000004', '{TRIP}', 'assistant', 'It is 345.', NULL, NULL, NULL,
   NULL, NULL, '2025-03-01 11:00:02'),
  ('bbbbbbbb-0000-4000-8000-000000000005', '{TRIP}', 'moderator', 'Hm.', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO memories VALUES
  ('44444444-4444-4444-8444-444444444444', '{ANNA}', 'likes/colour', '12',
   '2025-03-01 10:00:00', '2025-03-01 10:00:00');
"""

OTHER_SHAPE = """
CREATE TABLE subtenant (id serial PRIMARY KEY, name text, meta_data jsonb);
CREATE TABLE chat (id serial PRIMARY KEY, tenant_id integer, name text, created_at timestamptz);
CREATE TABLE chat_messages (
  id bigserial PRIMARY KEY, chat_id integer, role text, content jsonb, function_call text, name text, provider text,
  model text, prompt_tokens integer, completion_tokens integer);
CREATE TABLE memory (id serial PRIMARY KEY, tenant_id integer, key text, value jsonb);
INSERT INTO subtenant (name, meta_data) VALUES ('Anna', '{"a": [1.0, "x"]}');
INSERT INTO chat (tenant_id, name, created_at) VALUES
  (1, 'Trip', '2025-03-01 11:00:00+02'), (7, 'Nobody''s', NULL), (NULL, 'Old', NULL);
INSERT INTO chat_messages
  (chat_id, role, content, function_call, name, provider, model, prompt_tokens, completion_tokens) VALUES
  (1, 'user', '[{"type": "text", "text": "What is it?"}]', NULL, NULL, NULL, NULL, NULL, NULL),
  (1, 'assistant', NULL, '{"name": "now", "arguments": {"zone": "UTC"}}', NULL, 'openai', 'gpt-4', 10, 3),
  (1, 'function', '"noon"', NULL, 'now', NULL, NULL, NULL, NULL),
  (99, 'user', '"lost"', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO memory (tenant_id, key, value) VALUES
  (1, 'n', '12'), (1, 't', '"12"'), (NULL, 'o', '{"a": null}'), (1, 'n', '13');
"""
