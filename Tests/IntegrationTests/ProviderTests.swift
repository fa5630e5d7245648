import Foundation
import TestSupport
import Testing

struct ProviderTests {
  @Test(arguments: Provider.all)
  func aPresetIsAllThatItTakes(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let input = provider.isRealtime ? "[\(Provider.item("Hello!"))]" : #""Hello!""#
    // What the daemon owns goes nowhere, in either envelope.
    let owned = #""stream":true,"stream_options":{},"background":false,"event_id":"e""#
    for request in [
      Provider.request(input, "," + owned),
      #"{"type":"response.create","response":{"input":\#(input),\#(owned)}}"#,
    ] {
      let lines = try rig.client.ask(request)
      #expect(answerText(lines) == "Echo: Hello!", "\(lines)")
      #expect(lines.done?.outcome.string == "completed")
      let created = try #require(lines.first { $0.kind == "response.created" })
      #expect(created.response.store.bool == provider.stores)
      #expect(created.response.output_modalities[0].string == (provider.isRealtime ? "text" : nil))
      #expect(created.response.model.string == (provider.isRealtime ? nil : "of-the-configuration"))
    }
    #expect(try rig.simulator.statistics().violations.integer == 0)
    // What the daemon does not know is the server's to take or to refuse.
    let refused = try rig.client.ask(provider.request("x", #","inptu":"y""#))
    #expect(refused.error?.code == "unknown_parameter", "\(refused)")
    let isNested = provider.isRealtime || provider.flags.contains("nested")
    #expect(refused.error?.error.param.string == (isNested ? "response.inptu" : "inptu"))
    try rig.response("after a refusal")
  }

  @Test(arguments: Provider.all)
  func aToolIsCalledAndItsOutputIsAnswered(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let tools = #","tools":[{"type":"function","name":"look_up","parameters":{}}]"#
    let called = try rig.response("call the tool", more: tools)
    let call = called.output[0]
    #expect(call.type.string == "function_call")
    #expect(call.name.string == "look_up")
    let id = JSON.quoted(try #require(call.call_id.string))
    let output = #"{"type":"function_call_output","call_id":\#(id),"output":"22 C"}"#
    let next: String
    if provider.isRealtime {
      // Its server knows nothing of a response beside the conversation: the call is said again.
      let arguments = JSON.quoted(try #require(call.arguments.string))
      let again =
        #"{"type":"function_call","name":"look_up","call_id":\#(id),"arguments":\#(arguments)}"#
      next = Provider.request("[\(again),\(output)]", tools)
    } else {
      let previous = JSON.quoted(try #require(called.id.string))
      next = Provider.request("[\(output)]", tools + #","previous_response_id":\#(previous)"#)
    }
    let lines = try rig.client.ask(next)
    #expect(answerText(lines) == "Echo: 22 C", "\(lines)")
    #expect(lines.done?.outcome.string == "completed")
    // Without its call it is nothing that a server would know.
    let stray = try rig.client.ask(Provider.request("[\(output)]"))
    #expect(stray.error?.code == "invalid_value", "\(stray)")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test(arguments: Provider.all)
  func anAnswerMayHaveAForm(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let format = #","text":{"format":{"type":"json_schema","name":"a","schema":{}}}"#
    guard !provider.isRealtime else {
      // The Realtime API has no such thing, and its server's word on it is the client's to read.
      let refused = try rig.client.ask(provider.request("a word", format))
      #expect(refused.error?.code == "unknown_parameter", "\(refused)")
      #expect(refused.error?.error.param.string == "response.text")
      return
    }
    let response = try rig.response("a word", more: format)
    #expect(response.text.format.type.string == "json_schema")
    let structured = response.output[0].content[0].text.string
    #expect(try JSON(parsing: structured ?? "").answer.string == "Echo: a word")
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test(arguments: Provider.all.filter { !$0.isRealtime })
  func eachResponseOfAChainNamesTheOneBefore(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    var last = JSON.null
    for text in ["one", "two", "three"] {
      let more = last.string.map { #","previous_response_id":\#(JSON.quoted($0))"# } ?? ""
      let response = try rig.response(text, more: more)
      #expect(response.previous_response_id == last)
      #expect(response.id.string?.hasPrefix("resp_") == true)
      last = response.id
    }
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  /// Of two chains each goes on where it began, whatever connection is the better one otherwise.
  @Test(arguments: Provider.all.filter(\.continuesOnItsConnection))
  func aChainStaysOnItsConnection(provider: Provider) throws {
    var provider = provider
    provider.lines += "\nconnections_warm = 2"
    let rig = try ProviderRig(provider, connections: 2)
    let other = try rig.daemon.client()
    try other.send(provider.request("[[fault: gap 100]] a b c d e f g h i j k l m n o p q r s t"))
    _ = try other.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    var chains = [try rig.client.ask(provider.request("beside it"))]
    chains.append(try other.lines(upTo: "the end", \.isDone))
    let connections = chains.map { $0.done?.connection.integer }
    #expect(Set(connections).count == 2, "\(connections)")
    for _ in 0..<2 {
      for (number, chain) in chains.enumerated() {
        let id = try #require(ProviderRig.response(chain).id.string)
        chains[number] = try rig.client.ask(
          provider.request("more", #","previous_response_id":\#(JSON.quoted(id))"#))
        #expect(try ProviderRig.response(chains[number]).previous_response_id.string == id)
      }
      #expect(chains.map { $0.done?.connection.integer } == connections)
    }
  }

  /// The Realtime API continues nothing by an id, and says so.
  @Test func aChainThatCannotBeIsRefused() throws {
    let realtime = try #require(Provider.all.first { $0.isRealtime })
    let rig = try ProviderRig(realtime)
    let id = JSON.quoted(try rig.response("one").id.string ?? "")
    let refused = try rig.client.ask(realtime.request("two", #","previous_response_id":\#(id)"#))
    #expect(refused.done?.outcome.string == "error", "\(refused)")
    #expect(refused.error?.code == "unknown_parameter")
    #expect(refused.error?.error.param.string == "response.previous_response_id")
    try rig.response("after it")
  }

  /// Programs share a connection of the Realtime API, and what they say only if they ask for it.
  @Test func whatIsSaidOnAConnectionStaysWithWhoSaidIt() throws {
    var realtime = try #require(Provider.all.first { $0.isRealtime })
    realtime.lines += "\nconnections_max = 1"
    let rig = try ProviderRig(realtime)
    let other = try rig.daemon.client()
    func text(_ client: LineClient, _ text: String, _ more: String = "") throws -> String {
      answerText(try client.ask(realtime.request(text, more)))
    }
    #expect(try text(other, "secret") == "Echo: secret")
    #expect(try text(rig.client, "mine") == "Echo: mine")
    let shared = #","conversation":"auto""#
    #expect(try text(other, "one", shared) == "Echo: one")
    #expect(try text(rig.client, "two", shared) == "Echo: one / two")
    #expect(try text(rig.client, "three") == "Echo: three")
  }

  @Test(arguments: Provider.all)
  func whatGoesWrongIsTheRequestsAlone(provider: Provider) throws {
    let rig = try ProviderRig(provider)
    let failed = try rig.client.ask(provider.request("[[fault: error odd_code after 2]]"))
    #expect(failed.done?.outcome.string == "error", "\(failed)")
    #expect(failed.error?.code == "odd_code")
    #expect(failed.error?.status.integer == (provider.isRealtime ? nil : 400))
    try rig.response("after an error")
    try rig.client.send(provider.request("[[fault: gap 50]] a b c d e f g h i j k l m n o p"))
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
    #expect(try rig.simulator.statistics().violations.integer == 0)
  }

  @Test func whatTheServerWouldStoreIsTheRequestsToSay() throws {
    let rig = try ProviderRig(Provider.all[1])
    #expect(try rig.response("x", more: #","store":false"#).store.bool == false)
    #expect(try rig.response("x", more: #","store":true"#).store.bool == true)
    let strict = try ProviderRig(Provider.all[0])
    let refused = try strict.client.ask(Provider.request(#""x""#, #","store":true"#))
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
    let lines = try daemon.client().ask(Provider.request(#""x""#))
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
    let lines = try daemon.client().ask(Provider.request(#""x""#, #","store":true"#))
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
      "presets\n", "  azure-openai ", " flat, lanes 8, continuation anywhere, cancel drop\n",
      " nested, store false, lanes 1, continuation connection, cancel drop\n",
      " header OpenAI-Beta: realtime=v1\n",
      " key sent as api-key, may be in $AZURE_OPENAI_API_KEY\n",
    ] {
      #expect(text.contains(words), "\(words): \(text)")
    }
    let json = try JSON(parsing: Array(list("--json").utf8))
    #expect(json.upstreams.array.map(\.name.string) == ["here", "mine"])
    #expect(json.upstreams[1].key.string == "found")
    #expect(json.upstreams[1].continuation.string == "anywhere")
    #expect(json.upstreams[1].models[0].string == "gpt-*")
    #expect(json.presets.array.count == 7)
    let smart = json.presets[0]
    #expect(smart.store_false.bool == true && smart.headers["OpenAI-Beta"].string == "realtime=v1")
    #expect(smart.idle_limit_s.integer == 840 && smart.age_limit_s.integer == 3300)
    #expect(smart.message_bytes_max.integer == 15 << 20 && smart.subprotocol == .null)
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
