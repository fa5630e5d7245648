import Foundation
import TestSupport
import Testing

/// A preset, and the flags with which the simulator is a server of its kind: one that takes nothing
/// else.
struct Provider: Sendable, CustomTestStringConvertible {
  let preset: String
  let flags: [String]
  /// The variable that the provider's own tools read the key from.
  var variable: String?
  /// More lines for its table.
  var lines = ""
  /// What a request that says nothing of `store` is stored as.
  var stores: Bool? = true
  var testDescription: String { "\(preset) \(lines)" }
  var isRealtime: Bool { preset == "openai-realtime" }

  static let all = [
    Provider(
      preset: "smart-aipi", flags: ["--envelope", "nested", "--key-header", "authorization"],
      variable: "HOTLINE_API_KEY", stores: false),
    Provider(
      preset: "openai", flags: ["--envelope", "flat", "--key-header", "authorization", "--lanes"],
      variable: "OPENAI_API_KEY"),
    Provider(
      preset: "azure-openai", flags: ["--envelope", "flat", "--key-header", "api-key"],
      variable: "AZURE_OPENAI_API_KEY"),
    Provider(
      preset: "azure-openai", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "AZURE_OPENAI_API_KEY", lines: "key_header = \"Authorization\""),
    Provider(
      preset: "xai", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "XAI_API_KEY"),
    Provider(
      preset: "xai",
      flags: ["--envelope", "flat", "--subprotocol", "openai-beta.responses.v1"],
      variable: "MINE",
      lines: "key_variable = \"MINE\"\nsubprotocol = \"openai-beta.responses.v1\""),
    Provider(
      preset: "vercel-ai-gateway", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "AI_GATEWAY_API_KEY"),
    Provider(
      preset: "openai-realtime", flags: ["--realtime", "--key-header", "authorization"],
      variable: "OPENAI_API_KEY", stores: nil),
    Provider(preset: "local", flags: ["--envelope", "flat", "--plain", "--keyless"]),
  ]
}

/// The whole daemon with one upstream, `u`, of a preset, whose server is a simulator.
private final class ProviderRig {
  let directory: TemporaryDirectory
  let simulator: SimulatorProcess
  let daemon: DaemonProcess
  let client: LineClient

  init(_ provider: Provider) throws {
    directory = try TemporaryDirectory()
    let key = provider.variable.map { _ in ["--key", "sk-of-the-test"] } ?? []
    simulator = try SimulatorProcess(provider.flags + key, in: directory)
    let path = provider.isRealtime ? "realtime?model=m" : "responses"
    let url = simulator.url.replacing("realtime", with: path)
    let authority = provider.preset == "local" ? "" : "ca_file = \"\(simulator.caFile)\""
    var environment = ["HOTLINE_API_KEY": ""]
    if let variable = provider.variable { environment[variable] = "sk-of-the-test" }
    daemon = try DaemonProcess(
      """
      default_upstream = "u"
      [defaults]
      model = "of-the-configuration"
      [upstream.u]
      preset = "\(provider.preset)"
      url = "\(url)"
      \(authority)
      \(provider.lines)
      """, in: directory, environment: environment)
    try daemon.waitUntilWarm()
    client = try daemon.client()
  }

  /// Asks for something that goes well, and returns the response of the terminal event.
  @discardableResult
  func response(_ text: String, more: String = "") throws -> JSON {
    let lines = try client.ask(Self.request(text, more))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    let terminal = lines.last { ["response.completed", "response.done"].contains($0.kind) }
    return try #require(terminal).response
  }

  static func request(_ text: String, _ more: String = "") -> String {
    #"{"type":"response.create","request_id":"q","input":\#(JSON.quoted(text))\#(more)}"#
  }
}

struct ProviderTests {
  @Test(arguments: Provider.all)
  func aPresetIsAllThatItTakes(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    // Chat. What the daemon owns goes nowhere, in either envelope.
    let owned = #""stream":true,"stream_options":{},"background":false,"event_id":"e""#
    for request in [
      ProviderRig.request("Hello!", "," + owned),
      #"{"type":"response.create","response":{"input":"Hello!",\#(owned)}}"#,
    ] {
      let lines = try rig.client.ask(request)
      #expect(answerText(lines) == "Echo: Hello!", "\(lines)")
      #expect(lines.done?.outcome.string == "completed")
      let created = try #require(lines.first { $0.kind == "response.created" })
      #expect(created.response.store.bool == provider.stores)
      #expect(created.response.model.string == (provider.isRealtime ? nil : "of-the-configuration"))
    }
    // Tools and structured output.
    let tools = #","tools":[{"type":"function","name":"look_up","parameters":{}}]"#
    #expect(try rig.response("call the tool", more: tools).output[0].name.string == "look_up")
    let format = #","text":{"format":{"type":"json_schema","name":"a","schema":{}}}"#
    let structured = try rig.response("a word", more: format).output[0].content[0].text.string
    #expect(try JSON(parsing: structured ?? "").answer.string == "Echo: a word")
    // A chain.
    var id = try rig.response("one").id.string ?? ""
    for text in ["two", "three"] {
      let response = try rig.response(text, more: #","previous_response_id":\#(JSON.quoted(id))"#)
      id = response.id.string ?? ""
    }
    #expect(id.hasPrefix("resp_"))
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  /// Programs share a connection of the Realtime API, and what they say only if they ask for it.
  @Test func whatIsSaidOnAConnectionStaysWithWhoSaidIt() throws {
    var realtime = try #require(Provider.all.first { $0.isRealtime })
    realtime.lines += "\nconnections_max = 1"
    let rig = try ProviderRig(realtime)
    let other = try rig.daemon.client()
    #expect(answerText(try other.ask(ProviderRig.request("secret"))) == "Echo: secret")
    #expect(answerText(try rig.client.ask(ProviderRig.request("mine"))) == "Echo: mine")
    let shared = #","conversation":"auto""#
    #expect(answerText(try other.ask(ProviderRig.request("one", shared))) == "Echo: one")
    #expect(answerText(try rig.client.ask(ProviderRig.request("two", shared))) == "Echo: one / two")
    #expect(answerText(try rig.client.ask(ProviderRig.request("three"))) == "Echo: three")
  }

  @Test(arguments: Provider.all)
  func whatGoesWrongIsTheRequestsAlone(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let failed = try rig.client.ask(ProviderRig.request("[[fault: error odd_code after 2]]"))
    #expect(failed.done?.outcome.string == "error", "\(failed)")
    #expect(failed.error?.code == "odd_code")
    #expect(failed.error?.status.integer == (provider.isRealtime ? nil : 400))
    try rig.response("after an error")
    try rig.client.send(ProviderRig.request("[[fault: gap 50]] a b c d e f g h i j k l m n o p"))
    _ = try rig.client.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    try rig.client.send(#"{"type":"response.cancel","request_id":"q"}"#)
    let cancelled = try rig.client.lines(upTo: "the end", \.isDone)
    #expect(cancelled.done?.outcome.string == "cancelled")
    try rig.response("after a cancel")
    // A Realtime server ends a response that nobody wants, and its connection goes on.
    let asked = try rig.simulator.statistics()
    #expect(asked.cancelled.integer == (provider.isRealtime ? 1 : 0))
    if provider.isRealtime {
      let connection = cancelled.done?.connection
      let open = try rig.daemon.waitUntilWarm().readyConnections
      #expect(connection?.integer != nil && open.contains { $0["number"] == connection })
    }
    // The server's limit of age.
    let before = try rig.daemon.waitUntilWarm().readyConnections.map { $0["number"] }
    let limit =
      #"{"type":"error","error":{"code":"websocket_connection_limit_reached","message":"old"}}"#
    try rig.simulator.command("send " + limit)
    try rig.daemon.waitForStatus("another connection") { status in
      let now = status.readyConnections.map { $0["number"] }
      return !now.isEmpty && !now.contains { before.contains($0) }
    }
    try rig.response("after the limit")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test func whatTheServerWouldStoreIsTheRequestsToSay() throws {
    let rig = try ProviderRig(Provider.all[1])
    #expect(try rig.response("x", more: #","store":false"#).store.bool == false)
    #expect(try rig.response("x", more: #","store":true"#).store.bool == true)
    let strict = try ProviderRig(Provider.all[0])
    let refused = try strict.client.ask(ProviderRig.request("x", #","store":true"#))
    #expect(refused.codes == ["invalid_request"])
  }

  /// socat passes the socket's connections on to the simulator.
  @Test(Requires.tools("socat")) func aServerMayListenOnAUnixSocket() throws {
    let directory = try TemporaryDirectory()
    let flags = ["--envelope", "flat", "--plain", "--keyless"]
    let server = try SimulatorProcess(flags, in: directory)
    let path = directory("server.sock")
    let configuration = """
      default_upstream = "here"
      [upstream.here]
      preset = "local"
      url = "ws+unix:\(path):/v1/responses"
      """
    let daemon = try DaemonProcess(configuration, in: directory)
    let failing = try daemon.waitForStatus("the reason") { status in
      status.upstreams[0].last_error.string?.contains("No such file") == true
    }
    let detail = failing.upstreams[0].last_error.string ?? ""
    #expect(detail.contains("cannot connect to the socket \(path): "), "\(detail)")
    let socat = try ChildProcess(
      Requires.tool("socat"), ["UNIX-LISTEN:\(path),fork", "TCP:127.0.0.1:\(server.port)"])
    defer { socat.send(SIGTERM) }
    let lines = try daemon.client().ask(ProviderRig.request("x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    let doctor = try ChildProcess.run(
      Requires.program("hotlined"), ["--doctor", "--config", directory("config.toml")],
      environment: DaemonProcess.environment([:], in: directory))
    #expect(doctor.end == .exited(0), "\(doctor)")
    #expect(doctor.output.contains("connected to \(path)"), "\(doctor.output)")
  }

  // MARK: Several upstreams

  @Test func aModelFindsItsUpstreamUnlessTheRequestNamesOne() throws {
    let directory = try TemporaryDirectory()
    let one = try SimulatorProcess(["--envelope", "flat", "--plain", "--keyless"], in: directory)
    let two = try SimulatorProcess(["--envelope", "flat", "--plain", "--keyless"], in: directory)
    let daemon = try DaemonProcess(
      """
      default_upstream = "one"
      [route]
      "gpt-*" = "two"
      "gpt-5.2" = "one"
      "o1" = "two"
      [upstream.one]
      preset = "local"
      url = "\(one.url)"
      [upstream.two]
      preset = "local"
      url = "\(two.url)"
      """, in: directory)
    let client = try daemon.client()
    func upstream(_ members: String) throws -> String? {
      let lines = try client.ask(#"{"type":"response.create","input":"x"\#(members)}"#)
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      return lines.done?.upstream.string
    }
    #expect(try upstream("") == "one")
    #expect(try upstream(#","model":"other""#) == "one")
    #expect(try upstream(#","model":"gpt-4""#) == "two")
    #expect(try upstream(#","model":"\u0067pt-4""#) == "two")
    #expect(try upstream(#","model":"gpt-5.2""#) == "one")
    #expect(try upstream(#","model":"gpt-5.2-codex""#) == "two")
    #expect(try upstream(#","model":"o1""#) == "two")
    #expect(try upstream(#","model":"o1-mini""#) == "one")
    #expect(try upstream(#","model":"gpt-4","hotline":{"upstream":"one"}"#) == "one")
    #expect(try upstream(#","model":"gpt-5.2","hotline":{"upstream":"two"}"#) == "two")
  }

  @Test func whatCannotBeSentGoesToTheNext() throws {
    let directory = try TemporaryDirectory()
    let two = try SimulatorProcess(["--envelope", "flat", "--plain", "--keyless"], in: directory)
    let daemon = try DaemonProcess(
      """
      default_upstream = "one"
      [upstream.one]
      preset = "local"
      url = "ws://127.0.0.1:1/"
      failover = ["strict", "two"]
      [upstream.strict]
      preset = "local"
      url = "ws://127.0.0.1:1/"
      store_false = true
      [upstream.two]
      preset = "local"
      url = "\(two.url)"
      """, in: directory)
    let lines = try daemon.client().ask(ProviderRig.request("x", #","store":true"#))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(lines.done?.upstream.string == "two")
    let named = try daemon.client().ask(
      #"{"type":"response.create","input":"x","hotline":{"upstream":"one","#
        + #""queue_timeout_ms":300}}"#)
    #expect(named.codes == ["queue_timeout"], "\(named)")
  }

  @Test(arguments: ["hotlined", "hotline"])
  func theUpstreamsAreListed(program: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(
      "config.toml",
      """
      default_upstream = "mine"
      [route]
      "gpt-*" = "mine"
      [upstream.mine]
      preset = "openai"
      [upstream.here]
      preset = "local"
      """)
    func list(_ flags: String...) throws -> String {
      let result = try ChildProcess.run(
        Requires.program(program),
        [program == "hotline" ? "upstreams" : "--upstreams", "--config", file] + flags,
        environment: DaemonProcess.environment(
          ["HOTLINE_API_KEY": "", "OPENAI_API_KEY": "sk-hunter2"], in: directory))
      #expect(result.end == .exited(0), "\(result)")
      #expect(!result.output.contains("hunter2") && !result.errors.contains("hunter2"))
      return result.output
    }
    let text = try list()
    for words in [
      "mine (default)\n", "url           wss://api.openai.com/v1/responses\n",
      "lanes         8\n", "key           in $OPENAI_API_KEY, sent as Authorization\n",
      "models        gpt-*\n", "continuation  anywhere\n", "here\n", "none wanted\n",
      "presets\n", "  azure-openai ",
    ] {
      #expect(text.contains(words), "\(words): \(text)")
    }
    let json = try JSON(parsing: Array(list("--json").utf8))
    #expect(json.upstreams.array.map(\.name.string) == ["here", "mine"])
    #expect(json.upstreams[1].key.string == "found")
    #expect(json.upstreams[1].continuation.string == "anywhere")
    #expect(json.upstreams[1].models[0].string == "gpt-*")
    #expect(json.presets.array.count == 7)
  }

  @Test(arguments: ["192.0.2.1", "example.com", "[2001:db8::1]"])
  func aPlainConnectionNeverLeavesTheMachine(host: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(
      "config.toml", "[upstream.u]\npreset = \"local\"\nurl = \"ws://\(host)/v1/responses\"\n")
    let result = try ChildProcess.run(
      Requires.program("hotlined"), ["--check-config", "--config", file],
      environment: DaemonProcess.environment(in: directory))
    #expect(result.end == .exited(78))
    #expect(result.errors.contains("sends the key in the clear"), "\(result)")
  }
}
