import HotlineTransport
import Testing

@testable import HotlineDaemon

/// A document and all that is wrong with it.
struct BadDocument: Sendable, CustomTestStringConvertible {
  var toml: String
  var problems: [String]

  init(_ toml: String, _ problems: String...) {
    self.toml = toml
    self.problems = problems
  }

  var testDescription: String { toml }
}

@Suite struct ConfigurationProblemTests {
  @Test(arguments: [
    BadDocument(
      "[socket]\nclients_mx = 5\n[sockets]\n\"odd name\".x = \"canary\"",
      "socket.clients_mx: unknown key; did you mean clients_max? (line 2)",
      "sockets: unknown key; did you mean socket? (line 3)"),
    BadDocument(
      "colour = 1",
      "colour: unknown key; known here: default_upstream, budget_usd_per_day, access_log, socket, "
        + "queue, defaults, metrics, route, price, tag, upstream "
        + "(line 1)"),
    BadDocument(
      """
      default_upstream = 5
      queue = "x"
      [socket]
      path = true
      clients_max = "many"
      line_bytes_max = 1.5
      [upstream]
      a = 1
      [[upstream.b]]
      [upstream.c]
      store_false = "no"
      url = [1]
      """,
      "default_upstream: is the integer 5, but has to be a string such as \"smartaipi\" (line 1)",
      "queue: is the string \"x\", but has to be a table, [queue] (line 2)",
      "socket.path: is the boolean true, but has to be a string such as \"~/hotline.sock\" "
        + "(line 4)",
      "socket.clients_max: is the string \"many\", but has to be an integer from 1 to 65536 "
        + "(line 5)",
      "socket.line_bytes_max: is the floating-point number 1.5, but has to be a number of bytes "
        + "or a string such as \"64MiB\" (line 6)",
      "upstream.a: is the integer 1, but has to be a table, [upstream.a] (line 8)",
      "upstream.b: is an array, but has to be a table, [upstream.b] (line 9)",
      "upstream.c.store_false: is the string \"no\", but has to be true or false (line 11)",
      "upstream.c.url: is an array, but has to be a string such as "
        + "\"wss://api.smartaipi.com/v1/realtime\" (line 12)"),
    BadDocument(
      "[queue]\nwait_timeout = \"5 s\"\nrequest_timeout = \"1m1h\"\n[socket]\nmemory_max = \"1MB\"",
      "queue.wait_timeout: \"5 s\" is no duration; whole numbers with h, m, s or ms, such as "
        + "\"25s\" or \"1h30m\", would do (line 2)",
      "queue.request_timeout: \"1m1h\" is no duration; whole numbers with h, m, s or ms, such as "
        + "\"25s\" or \"1h30m\", would do (line 3)",
      "socket.memory_max: \"1MB\" is no size; a whole number with B, KiB, MiB or GiB, such as "
        + "\"64MiB\", would do (line 5)"),
    BadDocument(
      "upstream.a = { connections_warm = 9, lanes = 17, envelope = \"round\", preset = \"x\" }",
      "upstream.a.preset: \"x\" is not known; known are: \"smart-aipi\", \"openai\", "
        + "\"azure-openai\", \"xai\", \"vercel-ai-gateway\", \"openai-realtime\", "
        + "\"local\" (line 1)",
      "upstream.a.envelope: \"round\" is not known; \"nested\" or \"flat\" would do (line 1)",
      "upstream.a.lanes: 17 is out of range; 1 to 16 would do (line 1)",
      "upstream.a.connections_warm: 9 is more than connections_max, 8; lower it or raise "
        + "connections_max (line 1)"),
    BadDocument(
      "[upstream.a]\ncancel = \"close\"\npatience = 50\ndials_max = \"4\"\nage_margins = \"5m\"",
      "upstream.a.cancel: \"close\" is not known; \"drop\" or \"drain\" or \"ask\" "
        + "would do (line 2)",
      "upstream.a.patience: is the integer 50, but has to be a string such as \"25s\" (line 3)",
      "upstream.a.dials_max: is the string \"4\", but has to be an integer from 1 to 64 (line 4)",
      "upstream.a.age_margins: unknown key; did you mean age_margin? (line 5)"),
    BadDocument(
      "[upstream.a]\ncancel = true",
      "upstream.a.cancel: is the boolean true, but has to be \"drop\" or \"drain\" or "
        + "\"ask\" (line 2)"),
    BadDocument(
      "[socket]\nmemory_max = \"32MiB\"\n[queue]\nwait_timeout = \"1h\"",
      "socket.line_bytes_max: 64MiB is more than memory_max, 32MiB; lower it or raise memory_max "
        + "(line 1)",
      "queue.wait_timeout: \"1h\" is longer than request_timeout, \"30m\"; lower it or raise "
        + "request_timeout (line 4)",
      "upstream.smartaipi.event_bytes_max: 64MiB is more than socket.memory_max, 32MiB; lower it "
        + "or raise that"),
    BadDocument(
      "default_upstream = \"b\"\n[upstream.a]\n[upstream.\"b c\"]\n",
      "default_upstream: there is no upstream \"b\"; \"a\" or \"smartaipi\" would do (line 1)",
      "upstream.\"b c\": is no name for an upstream; 1 to 64 letters, digits, _ or - would do "
        + "(line 3)"),
    BadDocument(
      "[defaults]\nmodel = \"\"\ninstructions = \"\"\n",
      "defaults.model: has 0 characters; 1 to 256 would do (line 2)",
      "defaults.instructions: has 0 characters; 1 to 262144 would do (line 3)"),
    BadDocument(
      "[defaults]\nmodel = \"a\\u001bb\"\n",
      "defaults.model: \"a\\x1Bb\" has a control character in it; leave it out (line 2)"),
    BadDocument(
      "[upstream.a]\nca_file = \"~bob/ca\"\napi_key_file = \"~bob/canary\"\n",
      "upstream.a.ca_file: \"~bob/ca\" begins with ~, and only ~/ with a known home directory is "
        + "understood; write the path out (line 2)",
      "upstream.a.api_key_file: begins with ~, and only ~/ with a known home directory is "
        + "understood; write the path out (line 3)"),
    BadDocument(
      """
      [upstream.a]
      client_certificate = "c.pem"
      pin_sha256 = ["abc", "Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="]
      tls_min = "1.1"
      ca_file_extra = ""
      [upstream.b]
      client_key = "k"
      pin_sha256 = "x"
      tls_min = 1.2
      [upstream.c]
      pin_sha256 = []
      [upstream.d]
      pin_sha256 = [1]
      [upstream.e]
      url = "ws://localhost/"
      pin_sha256 = ["Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="]
      """,
      "upstream.a.client_certificate: needs client_key beside it, which may name the same file; "
        + "give both or neither (line 2)",
      "upstream.a.pin_sha256: \"abc\" is no SHA-256 digest in base64, 44 characters with a = at "
        + "the end, such as \"Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA=\" (line 3)",
      "upstream.a.tls_min: \"1.1\" is not known; \"1.2\" or \"1.3\" would do (line 4)",
      "upstream.a.ca_file_extra: \"\" is no path; \"ca.pem\" would do (line 5)",
      "upstream.b.client_key: needs client_certificate beside it, which may name the same file; "
        + "give both or neither (line 7)",
      "upstream.b.pin_sha256: is the string \"x\", but has to be an array of strings such as "
        + "[\"Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA=\"] (line 8)",
      "upstream.b.tls_min: is the floating-point number 1.2, but has to be \"1.2\" or \"1.3\" "
        + "(line 9)",
      "upstream.c.pin_sha256: has 0 pins; 1 to 32 would do, or leave it out (line 11)",
      "upstream.d.pin_sha256: has something else than a string in it, but has to be an array of "
        + "strings such as [\"Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA=\"] (line 13)",
      "upstream.e.pin_sha256: means nothing with a ws:// url, which has no TLS; leave it out "
        + "(line 16)"),
    BadDocument(
      """
      [upstream.a]
      proxy = "ftp://user:canary@h:1"
      [upstream.b]
      proxy = 1
      [upstream.c]
      proxy = "http://user:can/ary@h:1"
      """,
      "upstream.a.proxy: the URL begins with none of http://, https://, socks5:// and socks5h://; "
        + "http://HOST:PORT, https://, socks5:// or socks5h:// would do, or \"none\" (line 2)",
      "upstream.b.proxy: is the integer 1, but has to be a string such as \"http://HOST:PORT\" "
        + "(line 4)",
      "upstream.c.proxy: the URL has something behind the proxy's host and port: leave it out (/, "
        + "? and # in a password are written %2F, %3F and %23); http://HOST:PORT, https://, "
        + "socks5:// or socks5h:// would do, or \"none\" (line 6)"),
    BadDocument(
      """
      [upstream.a]
      api_key_file = "k"
      api_key = "none"
      [upstream.b]
      api_key = "sk-canary"
      [upstream.c]
      headers = { Authorization = "canary", X-A = "1", x-a = "2", Host = "h", "b:" = "x", N = 1 }
      [upstream.d]
      headers = { Sec-WebSocket-Key = "x", A = "a\\nb", B = " b", C = "\\u00e9" }
      """,
      "upstream.a.api_key: \"none\" and api_key_file exclude each other; keep one of them (line 3)",
      "upstream.b.api_key: takes only \"none\", for a server that wants no key; a key has to lie "
        + "in a file, see api_key_file (line 5)",
      "upstream.c.headers.Host: is set by the WebSocket handshake itself; leave it out (line 7)",
      "upstream.c.headers.N: is an integer, but has to be a string (line 7)",
      "upstream.c.headers.\"b:\": is no header name; letters, digits and !#$%&'*+-.^_`|~ would do "
        + "(RFC 9110, 5.6.2) (line 7)",
      "upstream.c.headers.x-a: stands twice (capitals make no difference); keep one (line 7)",
      "upstream.c.headers.Authorization: the key is sent in this header; set api_key = \"none\" to "
        + "send this one instead (line 7)",
      "upstream.d.headers.A: has a control character or one that is not ASCII in its value; leave "
        + "it out (line 9)",
      "upstream.d.headers.B: has white space around its value; leave it out (line 9)",
      "upstream.d.headers.C: has a control character or one that is not ASCII in its value; leave "
        + "it out (line 9)",
      "upstream.d.headers.Sec-WebSocket-Key: is set by the WebSocket handshake itself; leave it "
        + "out (line 9)"),
  ])
  func allProblemsAreNamedAtOnce(_ bad: BadDocument) {
    #expect(World(bad.toml).problems() == bad.problems)
  }

  @Test(arguments: [
    BadDocument(
      "a = hunter2",
      "a: not valid TOML: this is no value; a text has to stand in quotes (line 1, column 5)"),
    BadDocument(
      "[socket]\npath = hunter2\n",
      "socket.path: not valid TOML: this is no value; a text has to stand in quotes "
        + "(line 2, column 8)"),
    BadDocument(
      "x = 1 hunter2",
      "x: not valid TOML: Error while parsing key-value pair: expected a comment or whitespace "
        + "(line 1, column 7)"),
    BadDocument(
      "x = \"\\qhunter2\"",
      "x: not valid TOML: Error while parsing string: unknown escape sequence (line 1, column 7)"),
    BadDocument(
      "x = 99999999999999999999",
      "x: not valid TOML: a number that does not fit into 64 bits (line 1, column 25)"),
    BadDocument("[[[", "not valid TOML: a table's header has to be [NAME] (line 1)"),
    BadDocument("\n[.a]", "not valid TOML: a table's header has to be [NAME] (line 2)"),
    BadDocument(
      "a = \"\"\"\n[.a]\n[[[\n\"\"\"\n",
      "a: unknown key; known here: default_upstream, budget_usd_per_day, access_log, socket, "
        + "queue, defaults, metrics, route, price, tag, upstream (line 1)"),
    BadDocument(
      "[socket]\nclients_max = # later\n",
      "socket.clients_max: not valid TOML: a value is missing; give one, or remove the key (line 2)"
    ),
    BadDocument(
      "a = { b = }",
      "a: not valid TOML: a value is missing; give one, or remove the key (line 1)"),
    BadDocument(
      "a = [}",
      "a: not valid TOML: a value is missing; give one, or remove the key (line 1)"),
    BadDocument(
      "a =",
      "a: not valid TOML: a value is missing; give one, or remove the key (line 1)"),
    BadDocument(
      "a = [\n1e-5, 1979-05-27T",
      "a: no key takes a date or time; a text has to stand in quotes (line 2)"),
    BadDocument(
      "a = 07:", "a: no key takes a date or time; a text has to stand in quotes (line 1)"),
    BadDocument("a = 1\n\u{0}", "a NUL byte is not valid TOML; remove it (line 2)"),
    BadDocument(
      "\na = \"\\u0000\"",
      "\\u0000 is not taken; no value may have a NUL in it (line 2)"),
    BadDocument(
      "a.b = 1\n[a]\n",
      "a: not valid TOML: this key or table stands here again, as something else; keep one of "
        + "them (line 2, column 1)"),
  ])
  func brokenDocumentsAreRefusedWithoutQuotingThem(_ bad: BadDocument) {
    #expect(World(bad.toml).problems() == bad.problems)
  }

  @Test(arguments: [
    BadDocument(
      """
      [socket]
      clients_max = 1
      clients_max = 2 # again
      clients_mx = 1
      clients_mx = 1
      [queue]
      wait_timeout = 1
      [socket]
      nonsense = 1
      [upstream.a]
      url = "wss://user:canary@h/"
      url = "wss://user:canary@h/"
      """,
      "socket.clients_max: stands here again, as \"2 # again\"; keep this one or the one in line 2 "
        + "(line 3)",
      "socket.clients_mx: unknown key; did you mean clients_max? (line 4)",
      "socket.clients_mx: stands here again; keep this one or the one in line 4 (line 5)",
      "queue.wait_timeout: is the integer 1, but has to be a string such as \"25s\" (line 7)",
      "socket: stands here again; keep this one or the one in line 1 (line 8)",
      "upstream.a.url: \"wss://…@h/\" has a user part (…@), which is not sent; put the key in a "
        + "file (line 11)",
      "upstream.a.url: stands here again; keep this one or the one in line 11 (line 12)")
  ])
  func duplicatesAreToldTogetherWithTheRest(_ bad: BadDocument) {
    #expect(World(bad.toml).problems() == bad.problems)
  }

  @Test(arguments: [
    (
      "http://h/",
      "does not begin with wss:// (or ws://, to this machine only); wss://HOST/PATH would do"
    ),
    ("h", "does not begin with wss:// (or ws://, to this machine only); wss://HOST/PATH would do"),
    ("wss://", "has no host; wss://HOST/PATH would do"),
    ("wss://h:0/", "has a port that is no number from 1 to 65535"),
    ("wss://h:/", "has a port that is no number from 1 to 65535"),
    ("wss://[::1/", "has a [ and no ]; an IPv6 host is written [::1]"),
    ("wss://::1/", "has no host; wss://HOST/PATH would do"),
    ("wss://-h/", "has a host that is no host name (letters, digits, - and . between them)"),
    ("wss://1.2.3/", "has a host that is no IPv4 address"),
    ("wss://h/{x}", "has a character in its path or query that must be percent-encoded"),
    ("wss://h/#f", "has a fragment (#…), which RFC 6455 forbids; leave it out"),
    ("wss://u:p@h/", "has a user part (…@), which is not sent; put the key in a file"),
    (
      "wss://h/a b",
      "has a space, a control character or one beyond ASCII; write it percent-encoded, a host in "
        + "its xn-- form"
    ),
    (
      "ws+unix:s.sock",
      "has no absolute path of a socket; ws+unix:/run/server.sock:/v1/responses would do"
    ),
    (
      "ws://example.com/",
      "begins with ws://, which sends the key in the clear, so it is for this machine only "
        + "(127.0.0.0/8, ::1, localhost); use wss://"
    ),
    (
      "ws://127.0.0.1.example.com/",
      "begins with ws://, which sends the key in the clear, so it is for this machine only "
        + "(127.0.0.0/8, ::1, localhost); use wss://"
    ),
  ])
  func badURLsAreExplained(_ text: String, _ explanation: String) {
    #expect(throws: UpstreamAddress.Invalid(explanation)) { try UpstreamURL(text) }
  }

  @Test(arguments: [
    "ws+unix:/run/s.sock",
    "wss://h", "WS://127.9.9.9:81?q", "ws://[::1]", "ws://LOCALHOST/a", "wss://h:65535/a@b",
  ])
  func goodURLsAreKeptAsTheyAre(_ text: String) throws {
    let url = try UpstreamURL(text)
    #expect(url.text == text)
    #expect(try url.address == UpstreamAddress(url: text))
  }

  @Test(arguments: [
    ("ws+unix:/run/user/7@x/s.sock:/v1?token=t", "ws+unix:/run/user/7@x/s.sock:/v1?…"),
    ("WS+UNIX:///run/s.sock", "WS+UNIX:///run/s.sock"),
    ("ws+unix:u:p@h/", "…@h/"), ("ws+unix:/s:/a#b?c@d", "…"),
  ])
  func whatMayBeSecretInAURLOfASocketIsNotShown(_ text: String, _ displayed: String) {
    #expect(UpstreamURL.displayed(text) == displayed)
  }

  @Test func tooLargeFilesAreRefused() {
    let edge = String(repeating: "#", count: Schema.fileBytesMax)
    #expect(World(edge).problems() == [])
    #expect(
      World(edge + "#").problems() == [
        "\(World.file) has more than 1048576 bytes, the most taken"
      ])
  }
}
