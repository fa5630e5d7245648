import HotlineCore
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import HotlineTransport

struct UpstreamHandlerTests {
  // MARK: Opening

  @Test func upgradeOpensAndBytesAfterTheHeadAreFrames() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    var bytes = ByteBuffer(string: try rig.goodAnswer())
    bytes.writeImmutableBuffer(try oracleEncoded([frame(.text, "hello".utf8)]))
    try rig.receive(bytes)
    #expect(rig.calls == [.opened, .text("hello"), .readCompleted])
  }

  @Test func messagesSentBeforeTheUpgradeGoOutAfterIt() throws {
    let rig = try UpstreamRig()
    rig.send(3, token: 7)
    try rig.connect()
    let answer = try rig.goodAnswer()
    #expect(rig.calls == [])
    try rig.receive(answer)
    #expect(rig.calls == [.opened, .handedOver(7), .readCompleted])
    #expect(try rig.sentFrames().map(\.text) == ["aaa"])
  }

  @Test func silenceEndsTheDialAtTheConnectTimeout() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    rig.loop.advanceTime(by: .milliseconds(14_999))
    #expect(rig.calls == [])
    rig.loop.advanceTime(by: .milliseconds(1))
    #expect(rig.calls == [.closed(.unreachable)])
    #expect(
      rig.delegate.failure?.detail
        == "no answer from server.example:80 within 15 s (waiting for the answer to the upgrade)")
    #expect(!rig.channel.isActive)
  }

  @Test func refusalIsReportedWhenItsBodyIsThere() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nba")
    #expect(rig.calls == [])
    try rig.receive("d!")
    #expect(rig.calls == [.closed(.upgradeRefused)])
    #expect(rig.delegate.failure?.status == 401)
    #expect(rig.delegate.failure?.detail.hasSuffix("401 Unauthorized: bad!") == true)
  }

  @Test func refusalWithoutItsWholeBodyIsReportedAfterASecond() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive("HTTP/1.1 503 Busy\r\n\r\nwai")
    rig.loop.advanceTime(by: .milliseconds(600))
    try rig.receive("t")
    rig.loop.advanceTime(by: .milliseconds(399))
    #expect(rig.calls == [])
    rig.loop.advanceTime(by: .milliseconds(1))
    #expect(rig.calls == [.closed(.upgradeRefused)])
    #expect(rig.delegate.failure?.detail.hasSuffix("503 Busy: wait") == true)
  }

  @Test func refusalEndsWithItsConnection() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive("HTTP/1.1 403 No\r\n\r\nkey \(UpstreamRig.key.prefix(12))")
    try rig.channel.close().wait()
    #expect(rig.calls == [.closed(.upgradeRefused)])
    #expect(rig.delegate.failure?.detail.hasSuffix("403 No: key ***") == true)
  }

  @Test func endBeforeTheAnswerIsALostConnection() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.channel.close().wait()
    #expect(rig.calls == [.closed(.lost)])
  }

  @Test func garbageEndsTheDial() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive("220 smtp ready\r\n")
    #expect(rig.calls == [.closed(.upgradeInvalid)])
    #expect(!rig.channel.isActive)
  }

  @Test func dropDuringTheDialIsReportedAtOnceAndOnce() throws {
    let rig = try UpstreamRig()
    rig.handler.drop()
    #expect(rig.calls == [.closed(.local)])
    rig.loop.advanceTime(by: .seconds(100))
    #expect(rig.calls == [.closed(.local)])
  }

  // MARK: Receiving

  @Test func oneReadIsCompletedOnceAfterAllItsMessages() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(frame(.text, "a".utf8), frame(.binary, [1, 2]), frame(.text, "b".utf8))
    #expect(rig.calls == [.text("a"), .binary([1, 2]), .text("b"), .readCompleted])
  }

  @Test func silentBytesAreHeardToo() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(frame(.pong, []))
    #expect(rig.calls == [.readCompleted])
  }

  @Test func pingIsAnsweredBetweenFragmentsOfTheServersMessage() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(
      frame(.text, "a".utf8, isFinal: false), frame(.ping, "x".utf8), frame(.continuation, "b".utf8)
    )
    let frames = try rig.sentFrames()
    #expect(frames.map(\.opcode) == [.pong])
    #expect(frames.map(\.text) == ["x"])
    #expect(rig.calls == [.text("ab"), .readCompleted])
  }

  @Test func onlyPongsToOurPingsAreReportedAndTheLastAnswersAll() throws {
    let rig = try UpstreamRig.open()
    for id in 1...3 as ClosedRange<UInt64> { rig.handler.ping(id: id) }
    #expect(try rig.sentFrames().map(\.opcode) == [.ping, .ping, .ping])
    let pong = { (id: UInt64) in frame(.pong, ByteBuffer(integer: id).readableBytesView) }
    try rig.receive(pong(9), pong(2), pong(1), pong(3), pong(3), frame(.pong, [0, 3]))
    #expect(rig.calls == [.pong(2), .pong(3), .readCompleted])
  }

  @Test(
    arguments: [
      (rawFrame(0xC1, 0), 1002), (rawFrame(0x81, 0x80, 0, 0, 0, 0), 1002),
      (rawFrame(0x81, 1, 0xFF), 1007), (rawFrame(0x01, 1, 0xC3, 0x80, 1, 0x28), 1007),
      (rawFrame(0x81, 126, 0x03, 0xE9), 1009),
    ] as [(ByteBuffer, UInt16)])
  func violationIsAnsweredWithItsCloseCode(_ bytes: ByteBuffer, _ code: UInt16) throws {
    var options = UpstreamHandler.Options()
    options.eventBytesMax = 1000
    let rig = try UpstreamRig.open(options: options)
    try rig.receive(bytes)
    #expect(try rig.sentFrames().map(\.closeCode) == [code])
    #expect(rig.calls == [.readCompleted, .closed(.protocolViolation)])
    #expect(!rig.channel.isActive)
  }

  @Test func textCutInsideACharacterByFragmentsIsValid() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(rawFrame(0x01, 1, 0xC3, 0x80, 1, 0xA9))
    #expect(rig.calls == [.text("é"), .readCompleted])
  }

  // MARK: Ends

  @Test func serversCloseIsAnsweredAndReportedWithoutTheKey() throws {
    let rig = try UpstreamRig.open()
    let reason = "bad \(UpstreamRig.key)\n"
    try rig.receive(frame(.connectionClose, [0x03, 0xF0] + Array(reason.utf8)))
    #expect(try rig.sentFrames().map(\.closeCode) == [1008])
    #expect(rig.calls == [.readCompleted, .closed(.closed)])
    #expect(rig.delegate.failure?.closeCode == 1008)
    #expect(rig.delegate.failure?.closeReason == #"bad ***\x0A"#)
    #expect(rig.delegate.failure?.detail.contains(UpstreamRig.key) == false)
    #expect(!rig.channel.isActive)
  }

  @Test func keyCutByTheCloseReasonsLengthIsNotShown() throws {
    let rig = try UpstreamRig.open()
    let reason = (String(repeating: ".", count: 110) + UpstreamRig.key).utf8.prefix(123)
    try rig.receive(frame(.connectionClose, [0x03, 0xF0] + Array(reason)))
    #expect(rig.delegate.failure?.closeReason == String(repeating: ".", count: 110) + "***")
  }

  @Test func closeWithoutACodeIs1005() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(frame(.connectionClose, []))
    let frames = try rig.sentFrames()
    #expect(frames.map(\.opcode) == [.connectionClose])
    #expect(frames.map(\.length) == [0])
    #expect(rig.delegate.failure?.closeCode == 1005)
  }

  @Test func nothingAfterACloseFrameCounts() throws {
    let rig = try UpstreamRig.open()
    try rig.receive(
      frame(.text, "a".utf8), frame(.connectionClose, [0x03, 0xE8]), frame(.text, "b".utf8))
    #expect(rig.calls == [.text("a"), .readCompleted, .closed(.closed)])
  }

  @Test func endWithoutACloseFrameIsALostConnection() throws {
    let rig = try UpstreamRig.open()
    try rig.channel.close().wait()
    #expect(rig.calls == [.closed(.lost)])
  }

  @Test func firstErrorIsTheCause() throws {
    let rig = try UpstreamRig.open()
    rig.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
    rig.channel.pipeline.fireErrorCaught(IOError(errnoCode: 32, reason: "write"))
    #expect(rig.calls == [.closed(.lost)])
    #expect(rig.delegate.failure?.detail.contains("reset by peer") == true)
    #expect(!rig.channel.isActive)
  }

  @Test func ourCloseWaitsForTheServersAndDiscardsWhatComesBefore() throws {
    let rig = try UpstreamRig.open()
    rig.handler.close(code: 1000, reason: "rotated")
    let sent = try rig.sentFrames()
    #expect(sent.map(\.closeCode) == [1000])
    #expect(rig.calls == [])
    try rig.receive(frame(.text, "late".utf8), frame(.ping, []))
    #expect(rig.calls == [.readCompleted])
    try rig.receive(frame(.connectionClose, [0x03, 0xE8]))
    #expect(rig.calls == [.readCompleted, .readCompleted, .closed(.local)])
    #expect(rig.delegate.failure?.detail.contains("rotated") == true)
    #expect(try rig.sentFrames().isEmpty)
    #expect(!rig.channel.isActive)
  }

  @Test func ourCloseWaitsTwoSecondsAtMost() throws {
    let rig = try UpstreamRig.open()
    rig.handler.close(code: 1001, reason: "")
    rig.loop.advanceTime(by: .milliseconds(1999))
    #expect(rig.calls == [])
    #expect(rig.channel.isActive)
    rig.loop.advanceTime(by: .milliseconds(1))
    #expect(rig.calls == [.closed(.local)])
    #expect(!rig.channel.isActive)
  }

  @Test func violationWhileClosingKeepsTheFirstCause() throws {
    let rig = try UpstreamRig.open()
    rig.handler.close(code: 1000, reason: "rotated")
    try rig.receive(rawFrame(0xFF))
    #expect(rig.calls == [.readCompleted, .closed(.local)])
    #expect(try rig.sentFrames().count == 1)
  }

  @Test func dropEndsAtOnceAndNothingFollows() throws {
    let rig = try UpstreamRig.open()
    rig.handler.drop()
    #expect(rig.calls == [.closed(.local)])
    #expect(!rig.channel.isActive)
    rig.handler.drop()
    rig.handler.close(code: 1000, reason: "")
    rig.send(1, token: 1)
    rig.handler.ping(id: 1)
    rig.loop.advanceTime(by: .seconds(10))
    #expect(rig.calls == [.closed(.local)])
    #expect(try rig.sentFrames().isEmpty)
  }

  @Test(arguments: 1...300 as ClosedRange<UInt64>)
  func noiseEndsTheConnectionOnceAtMost(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let rig = try UpstreamRig.open()
    rig.delegate.onCall = { call in
      if case .text = call { rig.send(1, token: 1) }
    }
    for _ in 0..<40 where rig.channel.isActive {
      let first: UInt8 =
        [0x81, 0x01, 0x80, 0x82, 0x89, 0x8A, 0x88].randomElement(using: &random) ?? 0
      let payload = (0..<Int.random(in: 0...9, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      try rig.receive(rawFrame(first, UInt8(payload.count), payload: payload))
    }
    rig.handler.drop()
    let ends = rig.calls.filter { if case .closed = $0 { true } else { false } }
    #expect(ends.count == 1)
    #expect(rig.calls.last == ends.last)
    rig.delegate.onCall = nil
  }
}
