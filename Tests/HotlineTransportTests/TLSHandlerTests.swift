import HotlineTLS
import HotlineTransport
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@Suite struct TLSHandlerTests {
  @Test func handshakeStartsWhenTheChannelBecomesActive() throws {
    let peer = try TLSHandlerPeer(isConnected: false)
    #expect(peer.takeOutbound().isEmpty)
    try peer.connect()
    #expect(peer.recorder.events == [.active])
    peer.run()
    #expect(peer.server.isHandshakeDone)
    #expect(peer.recorder.events.contains(.handshake("TLSv1.3")))
  }

  @Test func handshakeStartsAtOnceOnAnActiveChannel() throws {
    let peer = try TLSHandlerPeer()
    peer.run()
    #expect(peer.server.isHandshakeDone)
    #expect(peer.recorder.events.first == .handshake("TLSv1.3"))
    #expect(!peer.recorder.events.contains(.active))
  }

  @Test func writesBeforeTheHandshakeGoOutWithItsLastFlightInOrder() throws {
    let peer = try TLSHandlerPeer()
    let flushed = peer.write([1, 2])
    let flushedToo = peer.write([3])
    peer.channel.flush()
    let unflushed = peer.write([4])
    peer.run()
    #expect(peer.server.received == [1, 2, 3])
    #expect(flushed.isDone && flushedToo.isDone && !unflushed.isDone)
    peer.channel.flush()
    peer.run()
    #expect(peer.server.received == [1, 2, 3, 4])
    #expect(unflushed.isDone)
  }

  @Test func whatTheNextHandlerWritesOnTheHandshakeEventIsSent() throws {
    let peer = try TLSHandlerPeer()
    peer.recorder.onHandshake = { context in
      context.writeAndFlush(NIOAny(ByteBuffer(bytes: [9])), promise: nil)
    }
    peer.run()
    #expect(peer.server.received == [9])
  }

  @Test func allPlaintextOfOneReadComesInOneBuffer() throws {
    let peer = try TLSHandlerPeer.opened()
    for number in UInt8(1)...5 { peer.server.write([number]) }
    peer.deliver(peer.server.takeOutput())
    #expect(peer.recorder.events == [.read([1, 2, 3, 4, 5]), .readComplete])
  }

  @Test func severalReadsBeforeReadCompleteComeInOneBufferToo() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.server.write([1, 2])
    peer.server.write([3, 4])
    let bytes = peer.server.takeOutput()
    for half in [bytes.prefix(30), bytes.dropFirst(30)] {
      peer.channel.pipeline.fireChannelRead(ByteBuffer(bytes: half))
    }
    #expect(peer.recorder.events.isEmpty)
    peer.channel.pipeline.fireChannelReadComplete()
    #expect(peer.recorder.events == [.read([1, 2, 3, 4]), .readComplete])
  }

  @Test func handedOnBuffersAreNotOverwritten() throws {
    let peer = try TLSHandlerPeer.opened()
    for number in UInt8(1)...3 {
      peer.server.write([number])
      peer.deliver(peer.server.takeOutput())
    }
    #expect(peer.recorder.buffers.map { Array($0.readableBytesView) } == [[1], [2], [3]])
  }

  @Test func flushedWritesAreSentAsOne() throws {
    let peer = try TLSHandlerPeer.opened()
    let outcomes = (UInt8(1)...10).map { peer.write([$0]) }
    #expect(peer.takeOutbound().isEmpty)
    #expect(outcomes.allSatisfy { !$0.isDone })
    peer.channel.flush()
    let sent = peer.takeOutbound()
    #expect(sent.count == 1)
    #expect(outcomes.allSatisfy { $0.isDone })
    sent.forEach(peer.server.receive)
    #expect(peer.server.received == Array(1...10))
  }

  @Test func aLongFlushGoesOutInChunks() throws {
    let peer = try TLSHandlerPeer.opened()
    let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    let outcomes = [peer.write(bytes), peer.write([]), peer.write([1])]
    peer.channel.flush()
    let sent = peer.takeOutbound()
    #expect(sent.allSatisfy { $0.count <= (128 + 17) << 10 })
    #expect(sent.count <= 9)
    sent.forEach(peer.server.receive)
    #expect(peer.server.received == bytes + [1])
    #expect(outcomes.allSatisfy { $0.isDone })
  }

  @Test func aWriterThatDoesNotFlushFillsTheChannelsOwnBuffer() throws {
    let peer = try TLSHandlerPeer.opened()
    let before = peer.outbound.writtenBytes
    let bytes = [UInt8](repeating: 5, count: 32 << 10)
    for _ in 1...3 { _ = peer.write(bytes) }
    #expect(peer.outbound.writtenBytes == before)
    _ = peer.write(bytes)
    #expect(peer.outbound.writtenBytes - before > 128 << 10)
    #expect(peer.takeOutbound().isEmpty)
    let last = peer.write([1])
    peer.channel.flush()
    peer.run()
    #expect(last.isDone)
    #expect(peer.server.received.count == (128 << 10) + 1)
  }

  @Test func anEmptyWriteIsDoneOnceFlushed() throws {
    let peer = try TLSHandlerPeer.opened()
    let outcome = peer.write([])
    #expect(!outcome.isDone)
    peer.channel.flush()
    #expect(outcome.isDone)
  }

  @Test func aLargeMessageComesDownWhole() throws {
    let peer = try TLSHandlerPeer.opened()
    let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    peer.server.write(bytes)
    peer.deliver(peer.server.takeOutput())
    #expect(peer.recorder.events == [.read(bytes), .readComplete])
  }

  @Test func bytesForTLSAloneReadOnWhereNobodyReadsAutomatically() throws {
    let peer = try TLSHandlerPeer(isAutoRead: false)
    peer.run()
    #expect(peer.server.isHandshakeDone)
    peer.recorder.events = []
    let before = peer.outbound.reads
    peer.server.write([1])
    let bytes = peer.server.takeOutput()
    peer.deliver(Array(bytes.prefix(10)))
    #expect(peer.outbound.reads == before)  // Nobody asked.
    peer.channel.read()
    #expect(peer.outbound.reads == before + 1)
    peer.deliver(Array(bytes.dropFirst(10).prefix(2)))
    #expect(peer.outbound.reads == before + 2)
    peer.deliver(Array(bytes.dropFirst(12)))
    #expect(peer.outbound.reads == before + 2)
    #expect(peer.recorder.events.contains(.read([1])))
  }

  @Test func aChannelThatNeverOpenedFailsWhatWaits() throws {
    let peer = try TLSHandlerPeer(isConnected: false)
    let outcome = peer.write([1])
    // As a channel does whose connect failed: nobody calls the handlers' close().
    peer.channel._channelCore.close0(error: ChannelError.eof, mode: .all, promise: nil)
    peer.channel.embeddedEventLoop.run()
    #expect(outcome.error != nil)
    #expect(peer.recorder.errors.isEmpty)
  }
}
