import Dispatch
import Glibc
import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import Synchronization
import TestSupport
import Testing

@testable import HotlineDaemon

private let ok = #"{"type":"hotline.ok","request_id":"reload"}"# + "\n"

/// The configuration, read again while the loop runs.
@Suite(.serialized) struct LoopReloadTests {
  // MARK: Limits

  @Test func limitsHoldFromThenOnForClientsThatAreThereToo() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    let line = request("a", input: String(repeating: "x", count: 3000))
    try client.write(line)
    #expect(try rig.waits { $0.requests.count == 1 })
    let sections = """
      [socket]
      line_bytes_max = "2KiB"
      buffer_bytes_max = "2KiB"
      memory_max = "3MiB"
      requests_per_client_max = 2
      """
    let file = LoopRig.file(rig.url, upstream: "event_bytes_max = \"1MiB\"", sections: sections)
    #expect(try rig.reload(file) == ok)
    try client.write(line)
    #expect(try client.readLines(1)[0].contains("line_too_long"))
    try rig.onLoop { daemon in
      #expect(daemon.limits.bufferBytesMax == 2048)
      #expect(daemon.limits == daemon.broker.limits)
      #expect(daemon.ledger.limit == 3 << 20)
      #expect(daemon.upstreams[0].options.eventBytesMax == 1 << 20)
    }
    try client.write(request("b") + request("c"))
    #expect(try client.readLines(1)[0].contains("too_many_requests"))
    #expect(try rig.reload(LoopRig.file(rig.url)) == ok)
    try client.write(line.replacing(#""a""#, with: #""d""#))
    #expect(try rig.waits { $0.requests.count == 3 })
  }

  @Test func defaultsOfRequestsHoldFromThenOn() throws {
    let rig = try LoopRig()
    func store() throws -> Bool { try rig.onLoop { $0.upstreams[0].dialect.forcesStoreFalse } }
    #expect(try store())
    #expect(try rig.reload(LoopRig.file(rig.url, upstream: "store_false = false")) == ok)
    #expect(try !store())
  }

  // MARK: Errors

  @Test func whatIsWrongIsSaidAndNothingChanges() throws {
    let log = LogCapture()
    let rig = try LoopRig(log: log.logger)
    try rig.onLoop { $0.open() }
    rig.changeWorld { $0.keys[.environment("HOTLINE_API_KEY")] = nil }
    let answer = try rig.reload(
      LoopRig.file(rig.url, upstream: "lanes = 17\nheaders = { X = \" secret\" }"))
    let line = try JSON(parsing: answer)
    #expect(line.error.code.string == "invalid_request")
    #expect(line.request_id.string == "reload")
    #expect(line.hotline.accepted.bool == false)
    let message = line.error.message.string ?? ""
    #expect(message.contains(World.file))
    #expect(message.contains("upstream.test.lanes: 17 is out of range; 1 to 16 would do"))
    #expect(message.contains("upstream.test.headers.X"))
    #expect(!answer.contains("secret"))
    let logged = log.lines.filter { $0.hasPrefix("error configuration not reloaded") }
    #expect(logged.count == 1 && logged[0].contains("upstream.test.lanes"))
    #expect(!log.lines.contains { $0.contains("secret") })
    // A key that is not to be found is said when the file itself is right.
    #expect(try rig.reload(LoopRig.file(rig.url)).contains("upstream.test: there is no API key"))
    try rig.onLoop { daemon in
      #expect(daemon.links.count == 1)
      #expect(daemon.configuration.upstreams[0].limits.lanes == 1)
    }
  }

  @Test func manyProblemsAreToldInPart() throws {
    let rig = try LoopRig()
    let wrong = (0..<20).map { "[upstream.u\($0)]\nlanes = 0" }.joined(separator: "\n")
    let message = try JSON(parsing: try rig.reload(wrong)).error.message.string ?? ""
    #expect(message.contains("upstream.u0.lanes"))
    #expect(message.ranges(of: "out of range").count == 8)
    #expect(message.hasSuffix("; and 12 more, see hotlined --check-config"))
  }

  @Test func aSignalIsAnsweredByTheLogAlone() throws {
    let log = LogCapture()
    let rig = try LoopRig(log: log.logger)
    rig.changeWorld { $0.files[World.file] = "nonsense = 1" }
    let phases = Mutex<[Bool]>([])
    try rig.onLoop { daemon in
      daemon.onReload = { isReading in phases.withLock { $0.append(isReading) } }
      daemon.reload(for: .signal)
    }
    #expect(try rig.waits { $0.reloads.reading.isEmpty })
    #expect(log.lines.contains { $0.contains("nonsense: unknown key") })
    #expect(phases.withLock { $0 } == [true, false])
  }

  // MARK: Turns

  @Test func aReloadWhileAnotherIsBeingReadSeesWhatIsThereAfterwards() throws {
    let rig = try LoopRig()
    let gate = DispatchSemaphore(value: 0)
    rig.changeWorld { $0.gate = gate }
    let (one, two) = (try rig.connect(), try rig.connect())
    try one.write(#"{"type":"hotline.reload","request_id":1}"# + "\n")
    #expect(try rig.waits { $0.reloads.reading.count == 1 })
    try two.write(#"{"type":"hotline.reload","request_id":2}"# + "\n")
    #expect(try rig.waits { $0.reloads.waiting.count == 1 })
    try rig.onLoop { daemon in
      daemon.reload(for: .signal)
      daemon.reload(for: .signal)
      #expect(daemon.reloads.waiting.count == 2)
    }
    rig.changeWorld { world in
      world.gate = nil
      world.files[World.file] = LoopRig.file(rig.url, sections: "[socket]\nclients_max = 17")
    }
    gate.signal()
    #expect(try one.readLines(1) == [#"{"type":"hotline.ok","request_id":1}"#])
    #expect(try two.readLines(1) == [#"{"type":"hotline.ok","request_id":2}"#])
    #expect(try rig.onLoop { $0.limits.clientsMax } == 17)
  }

  @Test func aClientThatLeavesIsNotAnsweredAndHarmsNobody() throws {
    let rig = try LoopRig()
    let gate = DispatchSemaphore(value: 0)
    rig.changeWorld { $0.gate = gate }
    let client = try rig.connect()
    try client.write(#"{"type":"hotline.reload"}"# + "\n")
    #expect(try rig.waits { $0.commands.count == 1 })
    client.close()
    #expect(try rig.isEmpty())
    rig.changeWorld { $0.gate = nil }
    gate.signal()
    #expect(try rig.reload(LoopRig.file(rig.url)) == ok)
  }

  @Test func commandsThatWaitAreLimited() throws {
    let rig = try LoopRig()
    let gate = DispatchSemaphore(value: 0)
    rig.changeWorld { $0.gate = gate }
    let client = try rig.connect()
    try client.write(String(repeating: #"{"type":"hotline.reload"}"# + "\n", count: 65))
    #expect(try client.readLines(1)[0].contains("too_many_requests"))
    #expect(try rig.onLoop { $0.commands.count } == 64)
    rig.changeWorld { $0.gate = nil }
    gate.signal()
    #expect(try client.readLines(64).count == 64)
  }

  @Test func aDaemonThatEndsReloadsNothing() throws {
    let rig = try LoopRig()
    let gate = DispatchSemaphore(value: 0)
    rig.changeWorld { $0.gate = gate }
    let client = try rig.connect()
    try client.write(request("a") + #"{"type":"hotline.reload","request_id":2}"# + "\n")
    #expect(try rig.waits { $0.commands.count == 1 })
    try rig.onLoop { $0.step(.terminationRequested) }
    #expect(try client.readLines(1)[0].contains("shutting_down"))
    try client.write(#"{"type":"hotline.reload","request_id":3}"# + "\n")
    #expect(try client.readLines(1)[0].contains("shutting_down"))
    rig.changeWorld { world in
      world.gate = nil
      world.files[World.file] = LoopRig.file(rig.url, sections: "[socket]\nclients_max = 17")
    }
    gate.signal()
    #expect(try rig.waits { $0.reloads.reading.isEmpty })
    #expect(try rig.onLoop { $0.limits.clientsMax } != 17)
  }

  // MARK: Upstreams

  @Test func connectionsStayWhereNothingOfThemHasChanged() throws {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let limits = "age_limit = \"1h\"\nstore_false = false\ncontinuation = \"anywhere\""
    #expect(try rig.reload(LoopRig.file(rig.url, upstream: limits)) == ok)
    #expect(try rig.onLoop { $0.links.keys.map(\.rawValue) } == [1])
  }

  @Test func aChangedAddressIsDialledAndARunningResponseEndsWhereItRuns() throws {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a"))
    #expect(try rig.waits { $0.link?.running != nil })
    try rig.onLoop { $0.answer(created) }
    let (server, port) = SilentServer.listen()
    defer { close(server) }
    let url = "ws://127.0.0.1:\(port)/v1/realtime"
    #expect(try rig.reload(LoopRig.file(url)) == ok)
    #expect(try rig.onLoop { $0.upstreams[0].endpoint.address.port } == port)
    try rig.onLoop { $0.answer(delta, completed) }
    let lines = try client.readLines(4)
    #expect(lines[3].contains(#""outcome":"completed""#) && lines[3].contains(#""connection":1"#))
    #expect(try rig.waits { $0.link.map { $0.number.rawValue > 1 } ?? false })
    try client.write(request("b"))
    #expect(try rig.waits { $0.requests.count == 1 })
    try rig.onLoop { daemon in
      daemon.open()
      daemon.answer(created.replacing("resp_1", with: "resp_2"))
    }
    #expect(try client.readLines(1).last?.contains("response.created") == true)
  }

  @Test func upstreamsComeAndGoByTheirNames() throws {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    func ask(_ name: String, _ id: String) throws -> String {
      let client = try rig.connect()
      try client.write(request(id, #"{"upstream":"\#(name)","queue_timeout_ms":1}"#))
      return try client.readLines(1)[0]
    }
    #expect(try ask("other", "a").contains("there are: test"))
    let both = LoopRig.file(
      rig.url, sections: "[upstream.other]\nurl = \"\(rig.url)\"\napi_key = \"none\"")
    #expect(try rig.reload(both) == ok)
    #expect(try rig.onLoop { $0.upstreams.map(\.configuration.name) } == ["test", "other"])
    #expect(try !ask("other", "b").contains("unknown_upstream"))
    let other = """
      default_upstream = "other"
      [upstream.other]
      url = "\(rig.url)"
      api_key = "none"
      """
    #expect(try rig.reload(other) == ok)
    #expect(try ask("test", "c").contains("there are: other"))
    try rig.onLoop { daemon in
      #expect(daemon.defaultUpstream == UpstreamIndex(1))
      #expect(daemon.upstreams[0].isRemoved)
    }
    #expect(try rig.waits { $0.links.values.allSatisfy { $0.upstream == UpstreamIndex(1) } })
    let status = try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.status"}"#))
    #expect(status.upstreams.array.map { $0["name"].string } == ["other"])
    // A name that comes back has the place that it had.
    #expect(try rig.reload(both) == ok)
    #expect(try rig.onLoop { $0.defaultUpstream } == UpstreamIndex(0))
    #expect(try rig.onLoop { $0.upstreams.count } == 2)
  }

  @Test func whatCannotChangeIsAWarning() throws {
    let rig = try LoopRig { $0.socketPath = "/elsewhere" }
    let answer = try JSON(parsing: try rig.reload(LoopRig.file(rig.url)))
    #expect(answer.type.string == "hotline.ok")
    #expect(answer.warnings[0].string?.contains("socket.path") == true)
    #expect(answer.warnings[0].string?.contains("/elsewhere") == true)
  }
}

/// Which changes open connections do not survive.
@Suite struct ReloadComparisonTests {
  private func runtime(
    _ lines: String = "", key: String = "sk-test", authority: String? = nil
  ) throws -> UpstreamRuntime {
    var world = World(
      "default_upstream = \"a\"\n[upstream.a]\nurl = \"ws://127.0.0.1:1/\"\n\(lines)")
    world.keys[.environment("HOTLINE_API_KEY")] = key
    world.options.socket = "/s"
    world.files["/ca.pem"] = authority
    let loader = ConfigurationLoader(
      options: world.options, surroundings: world.surroundings, socketIsPassed: false)
    return try loader.load().upstreams[0]
  }

  @Test(arguments: [
    "url = \"ws://127.0.0.1:2/\"", "url = \"ws://127.0.0.1:1/x\"", "headers = { X = \"1\" }",
    "envelope = \"flat\"", "lanes = 2", "event_bytes_max = \"2MiB\"", "ca_file = \"/other.pem\"",
  ])
  func theseAreMadeAnew(_ line: String) throws {
    let lines = line.hasPrefix("url") ? "" : line
    var new = try runtime(lines)
    if line.hasPrefix("url") {
      let world = World("default_upstream = \"a\"\n[upstream.a]\napi_key = \"none\"\n\(line)")
      let configuration = try world.load()
      new = try UpstreamRuntime(configuration.upstreams[0], key: nil, defaults: .init())
    }
    #expect(new.needsNewConnections(insteadOf: try runtime()))
  }

  @Test func anotherKeyMakesThemAnew() throws {
    #expect(try runtime(key: "sk-other").needsNewConnections(insteadOf: try runtime()))
    #expect(try !runtime().needsNewConnections(insteadOf: try runtime()))
  }

  @Test func otherAuthoritiesUnderTheSameNameMakeThemAnew() throws {
    let file = "ca_file = \"/ca.pem\""
    let old = try runtime(file, authority: "one")
    #expect(try !runtime(file, authority: "one").needsNewConnections(insteadOf: old))
    #expect(try runtime(file, authority: "two").needsNewConnections(insteadOf: old))
    #expect(try runtime(file, authority: nil).needsNewConnections(insteadOf: old))
  }

  @Test(arguments: [
    "connections_warm = 0", "connections_max = 9", "age_limit = \"1h\"", "ping_interval = \"1s\"",
    "store_false = false", "continuation = \"anywhere\"", "message_bytes_max = \"1MiB\"",
    "cancel = \"drain\"", "patience = \"1s\"",
  ])
  func theseAreNot(_ line: String) throws {
    #expect(try !runtime(line).needsNewConnections(insteadOf: try runtime()))
  }
}

extension UnixSocket {
  /// The one line that answers this one.
  func asking(_ line: String) throws -> String {
    try write(line + "\n")
    shutDownWriting()
    return try readToEnd()
  }
}
