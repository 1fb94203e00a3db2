"""The `.env`, YAML and environment examples that the four systems' documents print, as they stand there."""

WEBSOCKET_DOTENV = """\
OPENAI_API_KEY=sk-placeholder-key
"""

WEBSOCKET_TOOL_SERVER = """\
mcp:
  servers:
    - name: "my-tool-server"
      url: "http://localhost:3000"
      transport: "http"
      timeout: 30
"""

WEBSOCKET_YAML = """\
server:
  host: "0.0.0.0"
  port: 8000

openai:
  api_key: "${OPENAI_API_KEY}"  # From environment
  model: "gpt-4o-mini"
  temperature: 0.7
  top_p: 1.0
  max_tokens: 4096
  system_prompt: "You are a helpful assistant."

mcp:
  servers:
    - name: "example-server"
      url: "http://localhost:3000"
      transport: "http"

logging:
  level: "INFO"
  format: "json"
"""

# The REST service's document prints names with what they mean, and no values: these are the values of such a file.
REST_DOTENV = """\
DATABASE_URL=postgresql://wrapper:wrapper-secret@localhost:5432/wrapper
REDIS_URL=redis://localhost:6379/0
DEFAULT_LLM_PROVIDER=anthropic
OPENAI_API_KEY=sk-one
ANTHROPIC_API_KEY=sk-two
LOCAL_LLM_ENDPOINT=http://localhost:11434
PRIVATE_CLOUD_ENDPOINT=https://llm.cloud.example/api
PRIVATE_CLOUD_API_KEY=sk-three
"""

NDJSON_DOTENV = """\
APP_ENV=local
HOST=0.0.0.0
PORT=8000
USERNAME=admin
PASSWORD=change-me
LLM__HOST=http://localhost:1234
LLM__MODEL=TheBloke/MyLocalModel
LLM__MAX_TOKENS=512
LLM__TIMEOUT_SECONDS=120
LLM__DEBUG=false
"""

NDJSON_YAML = """\
host: 0.0.0.0
port: 8000
username: admin
password: change-me
llm:
  host: http://localhost:1234
  model: TheBloke/MyLocalModel
  max_tokens: 512
  timeout_seconds: 120
  debug: false
"""

JSON_RPC_DEEPSEEK_DOTENV = """\
# .env (Example for DeepSeek)
API_KEY_ENV_VAR="DEEPSEEK_API_KEY"  # Tells server which env var holds the key
DEEPSEEK_API_KEY="your_deepseek_api_key" # Your actual key

LLM_BASE_URL="https://api.deepseek.com/v1" # DeepSeek API endpoint
LLM_MODEL_NAME="deepseek-chat"          # Specific DeepSeek model
"""

JSON_RPC_OPENAI_DOTENV = """\
# .env (Example for OpenAI)
API_KEY_ENV_VAR="OPENAI_API_KEY"
OPENAI_API_KEY="your_openai_api_key"

# LLM_BASE_URL is optional for OpenAI (defaults work), but can be set if needed
# LLM_BASE_URL="https://api.openai.com/v1"
LLM_MODEL_NAME="gpt-4o" 
"""  # noqa: W291 - the document prints it with this space

PARLANCE_YAML = """\
server:    {host: 127.0.0.1, port: 8000, cors_origins: [http://localhost:3000], tls: {cert: c.pem, key: k.pem}, root_path: "", trusted_proxies: []}
providers:
  claude:  {host: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  lab:     {host: openai_compatible, base_url: "https://llm.lab.example/v1", api_key: "${LAB_KEY:-}", models: [qwen3-32b],
            headers: {}, proxy: null, ca_file: null, deadlines: {connect: 5, first: 60, idle: 60, total: 600}}
models:                                   # the names that clients use
  default: claude/claude-sonnet-4-5
  fast:    {route: [lab/qwen3-32b, claude/claude-haiku-4-5], after_content: error}   # or restart, where the door's language can say it
prices:    {lab/qwen3-32b: {input: 0.10, output: 0.40}}          # USD per million tokens; over the library's
access:    {open: false, keys: {web: {key: "sha256:%s", scope: service, models: [fast]}}}
chats:     {store: asked, send_policy: queue, history: {reserve_output: 4096}}
journal:   {durability: grouped, live_retention: 900, live_grace: 60, keep_deltas: 86400}
limits:    {connections: 10000, turns: 2000, per_key: {turns: 200}}
logging:   {level: INFO, format: auto, file: null}
""" % ("ab" * 32)  # noqa: E501 - the line is as wide as it is printed
