import HotlineCore
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import HotlineTransport

struct UpstreamHandlerSendingTests {
  private static let fragment = FrameEncoder.fragmentBytes

  @Test func messagesGoOutInOrder() throws {
    let rig = try UpstreamRig.open()
    rig.send(1, token: 1)
    rig.send(2, token: 2)
    #expect(rig.calls == [.handedOver(1), .handedOver(2)])
    #expect(try rig.sentFrames().map(\.text) == ["a", "aa"])
  }

  @Test func nothingIsHandedOverWhileTheChannelIsFull() throws {
    let rig = try UpstreamRig.open()
    rig.becomeWritable(false)
    rig.send(1, token: 1)
    #expect(rig.calls == [])
    #expect(try rig.sentFrames().isEmpty)
    rig.becomeWritable(true)
    #expect(rig.calls == [.handedOver(1)])
  }

  @Test func handOverIsReportedWithTheLastFragmentOnly() throws {
    let rig = try UpstreamRig.open()
    let gate = Gate(after: 1)
    try rig.channel.pipeline.syncOperations.addHandler(gate, position: .first)
    rig.send(3 * Self.fragment, token: 1)
    #expect(rig.calls == [])
    #expect(try rig.sentFrames().map(\.fin) == [false])
    gate.writesLeft = 1
    rig.becomeWritable(true)
    #expect(rig.calls == [])
    #expect(try rig.sentFrames().map(\.fin) == [false])
    gate.writesLeft = 1
    rig.becomeWritable(true)
    #expect(rig.calls == [.handedOver(1)])
    #expect(try rig.sentFrames().map(\.fin) == [true])
  }

  @Test func pongsAndPingsGoOutBetweenFragments() throws {
    let rig = try UpstreamRig.open()
    let gate = Gate(after: 1)
    try rig.channel.pipeline.syncOperations.addHandler(gate, position: .first)
    rig.send(2 * Self.fragment, token: 1)
    try rig.receive(frame(.ping, "x".utf8))
    rig.handler.ping(id: 5)
    gate.writesLeft = 1
    rig.becomeWritable(true)
    #expect(try rig.sentFrames().map(\.opcode) == [.text, .pong, .ping, .continuation])
    #expect(rig.calls == [.readCompleted, .handedOver(1)])
  }

  @Test func longMessageYieldsTheLoop() throws {
    let rig = try UpstreamRig.open()
    rig.send(20 * Self.fragment, token: 1)
    let first = try rig.sentFrames().count
    #expect(first == 8)
    try rig.receive(frame(.ping, "x".utf8))
    #expect(try rig.sentFrames().map(\.opcode) == [.pong])
    rig.loop.advanceTime(by: .milliseconds(1))
    #expect(try rig.sentFrames().count == 20 - first)
    #expect(rig.calls == [.readCompleted, .handedOver(1)])
  }

  @Test func floodOfPingsAtAFullChannelKeepsTheNewestPong() throws {
    let rig = try UpstreamRig.open()
    rig.becomeWritable(false)
    for number in 0..<100 as Range<UInt8> { try rig.receive(frame(.ping, [number])) }
    #expect(
      try rig.sentFrames().map { $0.unmaskedData.getInteger(at: 0) }
        == Array(0..<16 as Range<UInt8>))
    rig.becomeWritable(true)
    #expect(try rig.sentFrames().map { $0.unmaskedData.getInteger(at: 0) } == [99 as UInt8])
  }

  @Test func unsentMessageCanBeTakenBack() throws {
    let rig = try UpstreamRig.open()
    rig.becomeWritable(false)
    for token in 1...3 as ClosedRange<UInt64> { rig.send(Int(token), token: token) }
    #expect(rig.handler.cancelUnsent(token: 2))
    #expect(!rig.handler.cancelUnsent(token: 2))
    rig.becomeWritable(true)
    #expect(rig.calls == [.handedOver(1), .handedOver(3)])
    #expect(!rig.handler.cancelUnsent(token: 1))
    #expect(try rig.sentFrames().map(\.text) == ["a", "aaa"])
  }

  @Test func messageThatHasBegunCannotBeTakenBack() throws {
    let rig = try UpstreamRig.open()
    try rig.channel.pipeline.syncOperations.addHandler(Gate(after: 1), position: .first)
    rig.send(2 * Self.fragment, token: 1)
    rig.send(1, token: 2)
    #expect(!rig.handler.cancelUnsent(token: 1))
    #expect(rig.handler.cancelUnsent(token: 2))
  }

  @Test func closeAbandonsAHalfSentMessage() throws {
    let rig = try UpstreamRig.open()
    try rig.channel.pipeline.syncOperations.addHandler(Gate(after: 1), position: .first)
    rig.send(2 * Self.fragment, token: 1)
    rig.handler.close(code: 1001, reason: "going away")
    rig.becomeWritable(true)
    let frames = try rig.sentFrames()
    #expect(frames.map(\.opcode) == [.text, .connectionClose])
    try rig.receive(frame(.connectionClose, [0x03, 0xE9]))
    #expect(rig.calls == [.readCompleted, .closed(.local)])
  }

  @Test func lostConnectionNeverReportsAHandOver() throws {
    let rig = try UpstreamRig.open()
    rig.becomeWritable(false)
    rig.send(1, token: 1)
    try rig.channel.close().wait()
    rig.becomeWritable(true)
    #expect(rig.calls == [.closed(.lost)])
  }

  @Test func whatIsSentWithinAReadIsFlushedOnceAtItsEnd() throws {
    let rig = try UpstreamRig.open()
    let counter = FlushCounter()
    try rig.channel.pipeline.syncOperations.addHandler(counter, position: .first)
    rig.delegate.onCall = { call in
      if case .text = call { rig.send(1, token: 1) }
    }
    try rig.receive(frame(.text, "a".utf8), frame(.ping, []), frame(.text, "b".utf8))
    #expect(counter.flushes == 1)
    #expect(try rig.sentFrames().map(\.opcode) == [.text, .pong, .text])
    rig.send(1, token: 2)
    #expect(counter.flushes == 2)
    rig.delegate.onCall = nil
  }

  // MARK: Calls from within calls

  @Test func delegateMaySendFromWithinAHandOver() throws {
    let rig = try UpstreamRig.open()
    rig.delegate.onCall = { call in
      if call == .handedOver(1) { rig.send(2, token: 2) }
    }
    rig.send(1, token: 1)
    #expect(rig.calls == [.handedOver(1), .handedOver(2)])
    #expect(try rig.sentFrames().map(\.text) == ["a", "aa"])
    rig.delegate.onCall = nil
  }

  @Test func delegateMayDropFromWithinAnything() throws {
    let triggers: [RecordingDelegate.Call] = [
      .text("a"), .pong(1), .readCompleted, .handedOver(1), .closed(.closed),
    ]
    for trigger in triggers {
      let rig = try UpstreamRig.open()
      rig.delegate.onCall = { call in
        if call == trigger { rig.handler.drop() }
      }
      rig.handler.ping(id: 1)
      rig.send(1, token: 1)
      try rig.receive(
        frame(.text, "a".utf8), frame(.pong, ByteBuffer(integer: UInt64(1)).readableBytesView),
        frame(.connectionClose, []))
      let ends = rig.calls.filter { if case .closed = $0 { true } else { false } }
      #expect(ends.count == 1, "\(trigger)")
      #expect(rig.calls.last == ends.last)
      #expect(!rig.channel.isActive)
      rig.delegate.onCall = nil
    }
  }

  @Test func delegateMayCloseFromWithinADelivery() throws {
    let rig = try UpstreamRig.open()
    rig.delegate.onCall = { call in
      if call == .text("a") { rig.handler.close(code: 1000, reason: "enough") }
    }
    try rig.receive(
      frame(.text, "a".utf8), frame(.text, "b".utf8), frame(.connectionClose, [0x03, 0xE8]))
    #expect(rig.calls == [.text("a"), .readCompleted, .closed(.local)])
    #expect(try rig.sentFrames().map(\.closeCode) == [1000])
    rig.delegate.onCall = nil
  }

  @Test func delegateMayDropFromWithinTheOpening() throws {
    let rig = try UpstreamRig()
    rig.delegate.onCall = { call in
      if call == .opened { rig.handler.drop() }
    }
    try rig.connect()
    try rig.receive(try rig.goodAnswer())
    #expect(rig.calls == [.opened, .closed(.local)])
    rig.delegate.onCall = nil
  }
}

/// A socket that is full after so many writes.
private final class Gate: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  var writesLeft: Int

  init(after writes: Int) { writesLeft = writes }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    writesLeft -= 1
    if writesLeft == 0 { (context.channel as? EmbeddedChannel)?.isWritable = false }
    context.write(data, promise: promise)
  }
}

private final class FlushCounter: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  var flushes = 0

  func flush(context: ChannelHandlerContext) {
    flushes += 1
    context.flush()
  }
}
