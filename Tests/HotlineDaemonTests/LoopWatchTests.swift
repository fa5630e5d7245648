import Glibc
import HotlineCore
import HotlineTransport
import TestSupport
import Testing

@testable import HotlineDaemon

/// `hotline.watch`, `hotline.cancel` and `hotline.config`.
@Suite(.serialized) struct LoopWatchTests {
  /// A rig with an open connection and a client whose request runs on it.
  private func running() throws -> (LoopRig, UnixSocket) {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a", #"{"tag":"night"}"#))
    #expect(try rig.waits { $0.link?.running != nil })
    return (rig, client)
  }

  private func code(_ answer: String) throws -> String? {
    try JSON(parsing: answer).error.code.string
  }

  // MARK: Watch

  @Test func aWatchIsAStatusAgainAndAgain() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    try client.write(#"{"type":"hotline.watch","every_ms":100,"request_id":"w"}"# + "\n")
    // A half-close does not end it.
    client.shutDownWriting()
    for line in try client.readLines(3) {
      let status = try JSON(parsing: line)
      #expect(status.type.string == "hotline.status")
      #expect(status.request_id.string == "w")
      #expect(status.clients.array.count == 1)
    }
    #expect(try rig.onLoop { $0.watches.count } == 1)
    client.close()
    #expect(try rig.waits { $0.watches.isEmpty })
    #expect(try rig.isEmpty())
  }

  @Test func aSecondWatchOfAClientTakesThePlaceOfItsFirst() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    try client.write(#"{"type":"hotline.watch","every_ms":3600000,"request_id":1}"# + "\n")
    #expect(try client.readLines(1)[0].contains(#""request_id":1,"#))
    try client.write(#"{"type":"hotline.watch","every_ms":100,"request_id":2}"# + "\n")
    for line in try client.readLines(2) { #expect(line.contains(#""request_id":2,"#)) }
  }

  @Test func endsOfRequestsAreShownToThoseWhoWantThem() throws {
    let (rig, client) = try running()
    let watcher = try rig.connect()
    try watcher.write(
      #"{"type":"hotline.watch","every_ms":0,"requests":true,"request_id":7}"# + "\n")
    let plain = try rig.connect()
    try plain.write(#"{"type":"hotline.watch","every_ms":0}"# + "\n")
    #expect(try rig.waits { $0.watches.count == 2 })
    try rig.onLoop { $0.answer(created, delta, completed) }
    let done = try JSON(parsing: try client.readLines(4)[3])
    let line = try JSON(parsing: try watcher.readLines(1)[0])
    #expect(line.type.string == "hotline.ended")
    #expect(line.request_id.integer == 7)
    let ended = line.request
    #expect(ended.request_id.string == "a")
    #expect(ended.tag.string == "night")
    #expect(ended.model.string == "m")
    #expect(ended.uid.integer == Int(getuid()))
    #expect(ended.pid.integer == Int(getpid()))
    #expect(ended.code == .null)
    #expect(ended.time.string?.hasSuffix("Z") == true)
    for name in ["outcome", "response_id", "upstream", "connection", "reused", "timing_ms"] {
      #expect(ended[name] == done[name], "\(name)")
    }
    // Nothing but what was asked for.
    try plain.write(#"{"type":"hotline.ping"}"# + "\n")
    #expect(try plain.readLines(1)[0].contains("hotline.pong"))
  }

  @Test func othersSeeTheEndsOfTheirOwnRequestsAlone() throws {
    let (rig, client) = try running()
    let watcher = try rig.connect()
    try watcher.write(#"{"type":"hotline.watch","every_ms":0,"requests":true}"# + "\n")
    #expect(try rig.waits { $0.watches.count == 1 })
    try rig.onLoop { daemon in
      for client in daemon.clients.values { client.uid = 4711 }
      var stranger = StatisticsTests.end(uid: 4712)
      stranger.idSpelling = Array(#""hidden""#.utf8)
      daemon.tellWatches(of: stranger)
      daemon.answer(created, completed)
    }
    _ = try client.readLines(3)
    let line = try watcher.readLines(1)[0]
    #expect(line.contains(#""request_id":"a""#) && !line.contains("hidden"))
  }

  /// A client that does not read is not filled up with what it can have again later.
  @Test func aWatcherWhoDoesNotReadMissesTicks() throws {
    let rig = try LoopRig()
    let watcher = try rig.connect()
    try watcher.write(#"{"type":"hotline.watch","every_ms":0,"requests":true}"# + "\n")
    #expect(try rig.waits { $0.watches.count == 1 })
    try rig.onLoop { daemon in
      var end = StatisticsTests.end()
      end.idSpelling = Array(("\"" + String(repeating: "x", count: 100_000) + "\"").utf8)
      for _ in 0..<200 { daemon.tellWatches(of: end) }
      daemon.batchEnded()
      let unread = daemon.clients.values.first?.unreadBytes ?? 0
      #expect((1 << 19...1 << 21).contains(unread), "\(unread)")
    }
  }

  @Test(arguments: [
    #""every_ms":99"#, #""every_ms":3600001"#, #""every_ms":-1"#, #""every_ms":"1000""#,
    #""every_ms":1,"every_ms":2"#, #""requests":1"#,
  ])
  func aWatchThatCannotBeIsRefused(_ members: String) throws {
    let rig = try LoopRig()
    let answer = try rig.connect().asking(#"{"type":"hotline.watch",\#(members)}"#)
    #expect(try code(answer) == "invalid_request", "\(answer)")
    #expect(try rig.onLoop { $0.watches.isEmpty })
  }

  // MARK: Cancel

  @Test func anybodysRequestCanBeCancelled() throws {
    let (rig, client) = try running()
    let other = try rig.connect()
    let status = try JSON(parsing: try other.asking(#"{"type":"hotline.status"}"#))
    let listed = try #require(status.clients.array.first { !$0.requests.array.isEmpty })
    #expect(listed.requests[0].request_id.string == "a")
    #expect(listed.requests[0].state.string == "running")
    #expect(listed.requests[0].tag.string == "night")
    #expect(listed.requests[0].upstream.string == "test")
    #expect(listed.requests[0].connection.integer == 1)
    let number = try #require(listed["number"].integer)
    let command = #"{"type":"hotline.cancel","client":\#(number),"request_id":"\u0061"}"#
    let asker = try rig.connect()
    #expect(
      try asker.asking(command) == #"{"type":"hotline.ok","request_id":"\u0061"}"# + "\n")
    let lines = try client.readLines(2).map { try JSON(parsing: $0) }
    #expect(lines[0].error.code.string == "cancelled")
    #expect(lines[0].hotline.accepted.bool == true)
    #expect(lines[1].type.string == "hotline.done")
    #expect(lines[1].outcome.string == "cancelled")
    #expect(try code(rig.connect().asking(command)) == "unknown_request_id")
  }

  @Test func whatAClientLeftBehindIsListedAndCanBeCancelled() throws {
    let rig = try LoopRig()
    try rig.onLoop { $0.open() }
    let client = try rig.connect()
    try client.write(request("a", #"{"on_hangup":"finish"}"#))
    #expect(try rig.waits { $0.link?.running != nil })
    client.close()
    #expect(try rig.waits { $0.clients.isEmpty })
    let asker = try rig.connect()
    let status = try JSON(parsing: try asker.asking(#"{"type":"hotline.status"}"#))
    let left = try #require(status.clients.array.first)
    #expect(left.hung_up.bool == true)
    #expect(left.open_requests.integer == 1)
    #expect(left.requests.array.map(\.request_id.string) == ["a"])
    #expect(status.clients.array.last?.hung_up.bool == false)
    let number = try #require(left["number"].integer)
    let canceller = try rig.connect()
    #expect(
      try canceller.asking(#"{"type":"hotline.cancel","client":\#(number),"request_id":"a"}"#)
        == #"{"type":"hotline.ok","request_id":"a"}"# + "\n")
    #expect(try rig.onLoop { $0.requests.isEmpty })
  }

  @Test(arguments: [
    (#""client":1"#, "request_id"), (#""request_id":"a""#, "client"),
    (#""client":0,"request_id":"a""#, "client"), (#""client":"1","request_id":"a""#, "client"),
    (#""client":1,"client":1,"request_id":"a""#, "client"),
  ])
  func aCancelThatCannotBeIsRefused(_ members: String, _ param: String) throws {
    let rig = try LoopRig()
    let answer = try rig.connect().asking(#"{"type":"hotline.cancel",\#(members)}"#)
    #expect(try code(answer) == "invalid_request", "\(answer)")
    #expect(try JSON(parsing: answer).error.param.string == param)
  }
}
