import Glibc
import HotlineCore
import HotlineTransport
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import HotlineDaemon

let created = #"{"type":"response.created","response":{"id":"resp_1"}}"#
let delta = #"{"type":"response.output_text.delta","delta":"x"}"#
let completed = #"{"type":"response.completed","response":{"id":"resp_1","usage":{}}}"#

func request(_ id: String, _ options: String = "{}", input: String = "hi") -> String {
  #"{"type":"response.create","request_id":"\#(id)","hotline":\#(options),"#
    + #""model":"m","input":"\#(input)"}"# + "\n"
}

/// The driver over a real socket, with the upstream's part in the test's hands.
@Suite(.serialized) struct LoopTests {
  /// A rig with an open connection and a client whose request runs on it.
  private func running(
    _ options: String = "{}", _ change: (inout Configuration) -> Void = { _ in }
  ) throws -> (LoopRig, UnixSocket) {
    let rig = try LoopRig(change)
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a", options))
    #expect(try rig.waits { $0.link?.running != nil })
    return (rig, client)
  }

  @Test func aRequestIsAnsweredAndNothingOfItIsKept() throws {
    let (rig, client) = try running()
    client.shutDownWriting()
    try rig.onLoop { $0.answer(created, delta, completed) }
    let lines = try client.readToEnd().split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines.dropLast().allSatisfy { $0.hasPrefix(#"{"request_id":"a","type":"response."#) })
    #expect(lines.last?.contains(#""outcome":"completed""#) == true)
    #expect(try rig.isEmpty())
  }

  @Test func aLineIsNestedAsDeepAsConfigured() throws {
    let rig = try LoopRig { $0.limits.nestingMax = 8 }
    let client = try rig.connect()
    func line(_ depth: Int) -> String {
      let brackets = String(repeating: "[", count: depth - 1)
      return #"{"request_id":\#(depth),"a":"# + brackets
        + String(repeating: "]", count: depth - 1) + #","type":"hotline.ping"}"# + "\n"
    }
    try client.write(line(8) + line(9))
    let lines = try client.readLines(2)
    #expect(lines[0].contains(#""type":"hotline.pong""#))
    #expect(lines[1].contains(#""request_id":9,"#) && lines[1].contains(#""code":"invalid_json""#))
    #expect(lines[1].contains("more than 8 deep (socket.nesting_max)"))
  }

  // MARK: One input at a time

  /// NIO reads what is left of a socket within a write that fails, that is within an action.
  @Test func anEventThatArrivesWhileActionsRunWaitsWithItsBytes() throws {
    let (rig, client) = try running()
    try rig.onLoop { daemon in
      daemon.answer(created)
      daemon.whileStepping { daemon in
        daemon.receive(delta)
        daemon.receive(completed)
        daemon.receive(#"{"type":"rate_limits.updated"}"#)
        if let link = daemon.link { daemon.upstreamReadCompleted(link.number) }
      }
    }
    let lines = try client.readLines(4)
    #expect(lines[1] == #"{"request_id":"a","type":"response.output_text.delta","delta":"x"}"#)
    #expect(lines[3].contains(#""outcome":"completed""#))
  }

  @Test func aLineThatIsTooLongWhileActionsRunWaitsItsTurn() throws {
    let (rig, client) = try running()
    try rig.onLoop { daemon in
      guard let handler = daemon.clients.values.first else { return }
      daemon.whileStepping { daemon in
        daemon.clientSentTooLong(handler)
        daemon.clientLineAbandoned(handler)
        #expect(handler.unreadBytes == 0)
        daemon.clientReadCompleted(handler)
      }
    }
    let lines = try client.readLines(2)
    #expect(lines[0].contains(#""request_id":null"#) && lines[0].contains("line_too_long"))
    #expect(lines[1].contains(#""request_id":null"#) && lines[1].contains("queue_full"))
  }

  @Test func controlMessagesForAServerThatDoesNotReadAreLimited() throws {
    let (rig, client) = try running()
    try rig.onLoop { $0.answer(created) }
    // The request itself is still unsent here.
    let steer = #"{"type":"response.steer","request_id":"a","input":"x"}"# + "\n"
    try client.write(String(repeating: steer, count: 16))
    let lines = try client.readLines(2)
    #expect(lines[0].contains("response.created"))
    #expect(lines[1].contains("queue_full"))
    try client.write(#"{"type":"hotline.ping"}"# + "\n")
    #expect(try client.readLines(1)[0].contains("hotline.pong"))
  }

  // MARK: Strange servers

  /// The request is sent again, so its bytes must still be there.
  @Test func anEventBeforeTheRequestWasHandedOverDoesNotLoseTheRequest() throws {
    let (rig, client) = try running()
    try rig.onLoop { daemon in
      guard let connection = daemon.link?.number else { return }
      daemon.receive(created)
      daemon.upstreamReadCompleted(connection)
    }
    #expect(try rig.waits { $0.link != nil && $0.link?.running == nil })
    try rig.onLoop { daemon in
      daemon.open()
      #expect(daemon.link?.running?.line != nil)
      daemon.answer(created, completed)
      #expect(daemon.requests.isEmpty)
    }
    #expect(try client.readLines(3).last?.contains("completed") == true)
  }

  @Test func aLargeMessageThatIsNoEventComesRawAndLeavesNoMemoryHeld() throws {
    let (rig, client) = try running()
    let message = String(repeating: "\u{1}", count: 1 << 20)
    try rig.onLoop { daemon in
      daemon.answer(created, message)
      #expect(daemon.scratch.capacity <= 1 << 20)
      daemon.answer(completed)
    }
    let lines = try client.readLines(4)
    #expect(lines[1].hasPrefix(#"{"type":"hotline.raw","request_id":"a","data":"\u0001\u0001"#))
    #expect(lines[1].utf8.count > 6 << 20)
    client.close()
    #expect(try rig.isEmpty())
  }

  // MARK: Memory

  /// A waiting request keeps its line, and a line is a part of what was read with it.
  @Test func aWaitingRequestKeepsNoMoreThanItsLine() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    var text = (0..<20).map { request("r\($0)") }.joined()
    text += request("large", input: String(repeating: "x", count: 20_000))
    text += String(repeating: "\n", count: 30_000)
    try client.write(text)
    #expect(try rig.waits { $0.requests.count == 21 })
    try rig.onLoop { daemon in
      for record in daemon.requests.values {
        guard let line = record.line else { continue }
        #expect(line.storageCapacity <= 2 * line.readableBytes + 256)
      }
      let bytes = daemon.requests.values.reduce(0) { $0 + ($1.line?.readableBytes ?? 0) }
      #expect(daemon.ledger.bytes == bytes)
    }
    client.close()
    #expect(try rig.isEmpty())
  }

  @Test func requestsAreRefusedOverTheMemoryLimitAndNotAtIt() throws {
    let line = request("a")
    for limit in [line.utf8.count - 1, line.utf8.count - 2] {
      let rig = try LoopRig { $0.limits.memoryBytesMax = limit }
      let client = try rig.connect()
      try client.write(line)
      if limit == line.utf8.count - 1 {
        #expect(try rig.waits { $0.requests.count == 1 })
      } else {
        #expect(try client.readLines(1)[0].contains("queue_full"))
      }
      client.close()
      #expect(try rig.isEmpty())
    }
  }

  /// Each question is short and each answer is not.
  @Test func aFloodOfQuestionsFromAClientThatDoesNotReadIsBounded() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    let written = client.writeUntilFull(#"{"type":"hotline.status"}"# + "\n", max: 20_000_000)
    #expect(written < 1_000_000)
    #expect(try rig.onLoop { $0.ledger.bytes } < 2_000_000)
    client.close()
    #expect(try rig.isEmpty())
  }

  // MARK: Clients that leave

  @Test func aHangUpCancelsAndLeavesNothing() throws {
    let (rig, client) = try running()
    try rig.onLoop { $0.answer(created, delta) }
    try client.write(request("b"))
    #expect(try rig.waits { $0.requests.count == 2 })
    client.close()
    #expect(try rig.isEmpty())
  }

  @Test func aRequestThatIsToBeFinishedOutlivesItsClient() throws {
    let (rig, client) = try running(#"{"on_hangup":"finish"}"#)
    client.close()
    #expect(try rig.waits { $0.clients.isEmpty })
    try rig.onLoop { daemon in
      #expect(daemon.requests.count == 1)
      daemon.answer(created, delta, delta, completed)
    }
    #expect(try rig.isEmpty())
    #expect(try rig.onLoop { $0.broker.counters.requestsEnded[.completed] } == 1)
  }

  @Test func linesWrittenJustBeforeAHangUpCount() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    try client.write(request("a", #"{"on_hangup":"finish"}"#).dropLast().description)
    client.close()
    #expect(try rig.waits { $0.clients.isEmpty && $0.requests.count == 1 })
  }

  // MARK: Slow readers

  /// A client that has read nothing of three megabytes, and so has lost its request.
  private func endingSlowReader(
    _ limit: (inout Limits) -> Void
  ) throws -> (LoopRig, UnixSocket) {
    let (rig, slow) = try running { configuration in
      limit(&configuration.limits)
      configuration.upstreams[0].limits.pongTimeout = .milliseconds(100)
    }
    let large = #"{"type":"response.x","x":"\#(String(repeating: "x", count: 100_000))"}"#
    try rig.onLoop { daemon in
      daemon.answer(created)
      for _ in 0..<30 { daemon.answer(large) }
      #expect(daemon.requests.count == 1, "its server is held up first")
    }
    #expect(try rig.waits { $0.link?.isPatienceSpent == true })
    try rig.onLoop { daemon in
      daemon.answer(large)
      #expect(daemon.requests.isEmpty)
      #expect(daemon.broker.counters.errorsByCode[.slowReader] == 1)
    }
    return (rig, slow)
  }

  @Test func aSlowReaderLosesItsRequestAndNobodyElseTheirs() throws {
    let (rig, slow) = try endingSlowReader { $0.bufferBytesMax = 1 << 20 }
    // The connection was dropped; the next one serves another client while the first has a backlog.
    try rig.onLoop { $0.open() }
    let quick = try rig.connect()
    try quick.write(request("b"))
    #expect(try rig.waits { $0.link?.running != nil })
    try rig.onLoop { daemon in
      #expect(daemon.clients.values.contains { $0.unreadBytes >= 1 << 20 })
      daemon.answer(created, delta, completed)
    }
    #expect(try quick.readLines(4)[3].contains(#""outcome":"completed""#))
    slow.shutDownWriting()
    let text = try slow.readToEnd()
    #expect(text.contains(#""code":"slow_reader""#))
    #expect(text.hasSuffix("}\n"))
    quick.close()
    #expect(try rig.isEmpty())
  }

  @Test func whoDoesNotReadMayNotFillTheDaemon() throws {
    let (rig, slow) = try endingSlowReader { $0.memoryBytesMax = 1 << 20 }
    slow.shutDownWriting()
    #expect(try slow.readToEnd().contains("socket.memory_max"))
    #expect(try rig.isEmpty())
  }

  /// One event may be larger than all that may wait unread.
  @Test func aServerIsHeldUpUntilItsClientHasCaughtUp() throws {
    let (rig, client) = try running { $0.limits.bufferBytesMax = 1 << 20 }
    let giant = #"{"type":"response.x","x":"\#(String(repeating: "x", count: 3 << 20))"}"#
    try rig.onLoop { daemon in
      daemon.answer(created, giant, delta)
      guard daemon.link?.patience.state == .holding else {
        Issue.record("not held up")
        return
      }
    }
    #expect(try client.readLines(3)[2].contains("delta"))
    let isFresh = try rig.waits { daemon in
      daemon.link?.patience.state == .fresh
    }
    #expect(isFresh)
    try rig.onLoop { $0.answer(completed) }
    #expect(try client.readLines(2)[1].contains(#""outcome":"completed""#))
  }

  @Test func theEndOfARequestEndsTheHoldingUp() throws {
    let (rig, client) = try running { $0.limits.bufferBytesMax = 1 << 20 }
    let giant = #"{"type":"response.x","x":"\#(String(repeating: "x", count: 3 << 20))"}"#
    try rig.onLoop { daemon in
      daemon.answer(created, giant, completed)
      guard daemon.link?.patience.state == .fresh else {
        Issue.record("still held up")
        return
      }
      #expect(daemon.requests.isEmpty)
    }
    #expect(try client.readLines(4)[3].contains(#""outcome":"completed""#))
  }

  @Test func aClientBeyondTheLimitIsToldAndClosed() throws {
    let rig = try LoopRig { $0.limits.clientsMax = 1 }
    let first = try rig.connect()
    try first.write(#"{"type":"hotline.ping"}"# + "\n")
    #expect(try first.readLines(1)[0].contains("hotline.pong"))
    let second = try rig.connect()
    #expect(try second.readToEnd().contains("too_many_clients"))
    second.close()
    first.close()
    #expect(try rig.isEmpty())
  }

  // MARK: Time

  @Test func deadlinesAreMetNearerOnesThatComeLaterToo() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    // Later than any test waits.
    try client.write(request("far", #"{"queue_timeout_ms":600000}"#))
    try client.write(request("near", #"{"queue_timeout_ms":60}"#))
    let lines = try client.readLines(3)
    #expect(lines.count { $0.contains("hotline.queued") } == 1, "far")
    #expect(lines.count { $0.contains(#""code":"queue_timeout""#) } == 1, "near")
  }

  /// A timer for an instant that has passed would go off again and again.
  @Test func theTimerIsAlwaysSetForLater() throws {
    let (rig, client) = try running()
    try rig.onLoop { $0.answer(created) }
    for _ in 0..<20 {
      usleep(20_000)
      try rig.onLoop { daemon in
        if let timerAt = daemon.timerAt {
          #expect(DaemonLoop.instant.duration(to: timerAt) > .milliseconds(-50))
        }
      }
    }
    client.close()
  }

  /// Time stands still within a read; a lost end of one must not stop it for good.
  @Test func timersGoOffWhateverBecameOfARead() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    #expect(try rig.waits { $0.clients.count == 1 })
    try client.write(request("a", #"{"queue_timeout_ms":200}"#))
    #expect(try rig.waits { $0.requests.count == 1 })
    try rig.onLoop { daemon in
      daemon.batchBegan()
      _ = daemon.now
    }
    #expect(try client.readLines(3).last?.contains("hotline.done") == true)
  }

  // MARK: The end

  @Test func theEndIsToldOnceAndEverybodyGetsTheirLastLine() throws {
    let (rig, client) = try running()
    let stops = Mutex(0)
    let idle = try rig.connect()
    #expect(try rig.waits { $0.clients.count == 2 })
    try rig.onLoop { daemon in
      daemon.onStop = { [unowned daemon] in
        stops.withLock { $0 += 1 }
        daemon.sayGoodbye()
      }
      daemon.answer(created)
      daemon.step(.terminationRequested)
      #expect(stops.withLock { $0 } == 0)
      daemon.step(.terminationRequested)
      daemon.step(.terminationRequested)
    }
    let text = try client.readToEnd()
    #expect(text.contains(#""code":"shutting_down""#))
    #expect(text.hasSuffix("}\n") && text.contains("hotline.done"))
    #expect(try idle.readToEnd() == "")
    #expect(stops.withLock { $0 } == 1)
    #expect(try rig.isEmpty())
    #expect(try rig.waits { $0.links.isEmpty })
  }

  /// The last request's cancel ends the drain, while the client's lines are being read.
  @Test func theEndMayComeOutOfALine() throws {
    let (rig, client) = try running()
    try rig.onLoop { daemon in
      daemon.onStop = { [unowned daemon] in daemon.sayGoodbye() }
      daemon.step(.terminationRequested)
    }
    try client.write(#"{"type":"response.cancel","#)
    #expect(try rig.waits { $0.ledger.bytes > request("a").utf8.count })
    try client.write(#""request_id":"a"}"# + "\n" + request("b"))
    let text = try client.readToEnd()
    #expect(text.contains(#""outcome":"cancelled""#))
    #expect(try rig.isEmpty())
  }

  // MARK: Status

  @Test func otherUsersSeeTheirOwnClientsOnly() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    #expect(try rig.waits { $0.clients.count == 1 })
    func status(for uid: UInt32) throws -> String {
      try rig.onLoop { daemon in
        var bytes: [UInt8] = []
        StatusLine(daemon, echo: nil, for: uid, at: daemon.now).append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
      }
    }
    #expect(try status(for: getuid()).contains(#""clients":[{"number":1,"#))
    #expect(try status(for: 0).contains(#""clients":[{"number":1,"#))
    #expect(try status(for: 54_321).contains(#""clients":[],"#))
    client.close()
  }
}

extension DaemonLoop {
  /// Runs `body` as if an action of the step that is under way called it.
  fileprivate func whileStepping(_ body: @escaping (DaemonLoop) -> Void) {
    guard let link else { return }
    onChange = { [unowned self] in
      onChange = nil
      body(self)
    }
    step(.opened(link.number))
  }
}
