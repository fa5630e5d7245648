import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import HotlineTransport

/// Our channel beside NIO's own: a handler notices no difference.
struct StreamChannelTests {
  private enum Kind { case ours, nio }
  private enum Step { case write(Int), halfClose, close }

  private struct Outcome: Equatable {
    var heard: ChannelRecorder.Heard
    var received: [UInt8]
  }

  @Test(arguments: 1...20)
  func aHandlerHearsTheSameFromBothChannels(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var steps = (0..<Int.random(in: 0...12, using: &random)).map { _ in
      Step.write(Int.random(in: 1...(1 << Int.random(in: 1...19, using: &random)), using: &random))
    }
    let peerReads = Bool.random(using: &random)
    steps.append(peerReads ? .halfClose : .close)
    let ours = try play(steps, peerReads: peerReads, on: .ours)
    let theirs = try play(steps, peerReads: peerReads, on: .nio)
    if peerReads {
      #expect(ours == theirs)
      #expect(ours.received == ours.heard.bytes + Array("end".utf8))
      #expect(ours.heard.ends == ["active", "input closed", "inactive"])
    } else {
      // What is lost with a peer that leaves in the middle depends on the moment.
      #expect(ours.heard.ends.first == "active")
      #expect(ours.heard.ends.last == "inactive")
      #expect(theirs.heard.ends.last == "inactive")
    }
  }

  @Test func whatNobodyWantsIsNotReadAndAHangUpIsHeardNevertheless() throws {
    let pair = try SocketPair()
    let loop = EpollLoop.shared
    let (channel, over) = try loop.submit {
      let channel = StreamChannel(pair.ours, on: loop)
      let recorder = ChannelRecorder(loop)
      try channel.syncOptions?.setOption(.autoRead, value: false)
      try channel.pipeline.syncOperations.addHandler(recorder)
      channel.serve()
      return (channel, recorder.over)
    }.wait()
    pair.write(Array("unwanted".utf8))
    // The loop has looked at its sockets when a second task is done.
    for _ in 1...3 { try loop.submit {}.wait() }
    var space: UInt8 = 0
    let flags = CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)
    #expect(recv(channel.descriptor, &space, 1, flags) == 1)
    pair.closePeer()
    let heard = try over.wait()
    #expect(heard == .init(bytes: Array("unwanted".utf8), ends: ["active", "inactive"]))
  }

  @Test func aReadThatJustFillsTheBufferIsNotTheLast() throws {
    let pair = try SocketPair()
    let loop = EpollLoop.shared
    let over = try loop.submit {
      let channel = StreamChannel(pair.ours, on: loop)
      let recorder = ChannelRecorder(loop)
      // Reads more than once when there is more.
      channel.prepareForUpstream(waterMark: .init(low: 1, high: 1 << 20))
      try channel.pipeline.syncOperations.addHandler(recorder)
      channel.serve()
      try channel.syncOptions?.setOption(.autoRead, value: true)
      return recorder.over
    }.wait()
    let whole = [UInt8](repeating: 1, count: EpollLoop.readBytesMax)
    for _ in 1...3 {
      pair.write(whole)
      #expect(pair.read(whole.count) == whole)
    }
    pair.closePeer()
    #expect(try over.wait().bytes.count == 3 * whole.count)
  }

  @Test func writabilityFollowsTheMarksAndPromisesTheirBytes() throws {
    let pair = try SocketPair()
    let loop = EpollLoop.shared
    let kept = try loop.submit {
      let channel = StreamChannel(pair.ours, on: loop)
      channel.serve()
      let promises = (0..<3).map { _ in loop.makePromise(of: Void.self) }
      let order = NIOLoopBoundBox<[Int]>([], eventLoop: loop)
      for (number, promise) in promises.enumerated() {
        promise.futureResult.whenSuccess { order.value.append(number) }
      }
      #expect(channel.isWritable)
      channel.write(ByteBuffer(repeating: 1, count: 1 << 20), promise: promises[0])
      #expect(!channel.isWritable)
      #expect(channel.bufferedBytes == 1 << 20)
      channel.writeAndFlush(ByteBuffer(repeating: 2, count: 10), promise: promises[1])
      #expect(channel.bufferedBytes > 0)
      #expect(order.value == [])
      channel.writeAndFlush(ByteBuffer(), promise: promises[2])
      return promises[2].futureResult.map {
        #expect(channel.isWritable)
        #expect(channel.bufferedBytes == 0)
        channel.close(promise: nil)
        return order.value
      }
    }.wait()
    #expect(pair.readToEnd().count == 1 << 20 + 10)
    #expect(try kept.wait().prefix(2) == [0, 1])
    pair.closePeer()
  }

  @Test func aConnectionThatIsRefusedFails() throws {
    let loop = EpollLoop.shared
    let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
    let result = try loop.submit {
      guard case .done(let descriptor) = SystemCalls.streamSocket(AF_INET) else {
        throw TestFailure("no socket")
      }
      return StreamChannel(CInt(descriptor), on: loop).connect(to: address)
    }.wait()
    #expect { try result.wait() } throws: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }
  }

  /// The peer writes on one thread and reads on another, as else both could wait for each other.
  private func play(_ steps: [Step], peerReads: Bool, on kind: Kind) throws -> Outcome {
    let pair = try SocketPair()
    let over = try channel(kind, pair)
    DispatchQueue.global().async {
      for (number, step) in steps.enumerated() {
        switch step {
        case .write(let count):
          pair.write((0..<count).map { UInt8(truncatingIfNeeded: number &+ $0) })
        case .halfClose: pair.shutDownWriting()
        case .close: pair.closePeer()
        }
      }
    }
    let received = peerReads ? pair.readToEnd() : []
    let heard = try over.wait()
    if peerReads { pair.closePeer() }
    return Outcome(heard: heard, received: received)
  }

  private func channel(
    _ kind: Kind, _ pair: SocketPair
  ) throws -> EventLoopFuture<ChannelRecorder.Heard> {
    switch kind {
    case .ours:
      let loop = EpollLoop.shared
      return try loop.submit {
        let channel = StreamChannel(pair.ours, on: loop)
        let recorder = ChannelRecorder(loop)
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(recorder)
        channel.serve()
        return recorder.over
      }.wait()
    case .nio:
      let loop = MultiThreadedEventLoopGroup.singleton.next()
      let over = Mutex<EventLoopFuture<ChannelRecorder.Heard>?>(nil)
      _ = try ClientBootstrap(group: loop)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let recorder = ChannelRecorder(loop)
            over.withLock { $0 = recorder.over }
            try channel.pipeline.syncOperations.addHandler(recorder)
          }
        }
        .withConnectedSocket(pair.ours).wait()
      guard let over = over.withLock({ $0 }) else { throw TestFailure("no channel") }
      return over
    }
  }
}
