import HotlineTLS
import HotlineTransport
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

/// How connections end, and what the next handler is told of it.
@Suite struct TLSHandlerEndTests {
  @Test func closeSendsCloseNotifyAndDoesNotWait() throws {
    let peer = try TLSHandlerPeer.opened()
    let unflushed = peer.write([1])
    peer.channel.close(promise: nil)
    peer.takeOutbound().forEach(peer.server.receive)
    #expect(peer.server.isEnded)
    #expect(peer.server.received.isEmpty)
    #expect(unflushed.error != nil)
    #expect(!peer.channel.isActive)
    #expect(peer.recorder.events == [.inactive])
  }

  @Test func closeDuringTheHandshakeFailsWhatWaitsAndReportsNoError() throws {
    let peer = try TLSHandlerPeer()
    let waiting = peer.write([1])
    peer.channel.flush()
    peer.channel.close(promise: nil)
    #expect(waiting.error != nil)
    #expect(peer.recorder.events == [.inactive])
  }

  @Test func closingTheInputAloneIsRefused() throws {
    let peer = try TLSHandlerPeer.opened()
    #expect(throws: ChannelError.operationUnsupported) {
      try peer.channel.close(mode: .input).wait()
    }
    #expect(peer.channel.isActive)
  }

  @Test func closingTheOutputSaysSoAndHandsOnNothingMore() throws {
    let peer = try TLSHandlerPeer.opened()
    try peer.channel.close(mode: .output).wait()
    peer.takeOutbound().forEach(peer.server.receive)
    #expect(peer.server.isEnded)
    #expect((peer.write([1]).error as? ChannelError) == .ioOnClosedChannel)
    peer.server.write([2])
    peer.channel.pipeline.fireChannelRead(ByteBuffer(bytes: peer.server.takeOutput()))
    #expect(!peer.recorder.events.contains(.read([2])))
    #expect(peer.recorder.errors.isEmpty)
  }

  @Test func theServersCloseNotifyEndsTheChannelWithoutAnError() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.server.write([1, 2, 3])
    peer.server.sendCloseNotify()
    peer.deliver(peer.server.takeOutput())
    #expect(peer.recorder.events.prefix(3) == [.read([1, 2, 3]), .readComplete, .inactive])
    #expect(peer.recorder.errors.isEmpty)
    #expect(!peer.channel.isActive)
    peer.takeOutbound().forEach(peer.server.receive)
    #expect(peer.server.isEnded)
  }

  @Test func truncationIsAnErrorBeforeTheEnd() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.server.write([1, 2, 3])
    peer.channel.pipeline.fireChannelRead(ByteBuffer(bytes: peer.server.takeOutput()))
    let unflushed = peer.write([1])
    peer.channel.pipeline.fireChannelInactive()
    #expect(peer.recorder.events == [.read([1, 2, 3]), .error(.truncated), .inactive])
    #expect((unflushed.error as? TLSError)?.kind == .truncated)
  }

  @Test func theEndOfInputAloneIsATruncationToo() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    #expect(peer.recorder.events.first == .error(.truncated))
    #expect(peer.recorder.errors.count == 1)
    #expect(!peer.channel.isActive)
  }

  @Test func anEndDuringTheHandshakeIsAHandshakeError() throws {
    let peer = try TLSHandlerPeer()
    peer.channel.pipeline.fireChannelInactive()
    #expect(peer.recorder.events == [.error(.handshake), .inactive])
  }

  @Test func aBadCertificateIsReportedAnsweredWithAnAlertAndClosed() throws {
    let peer = try TLSHandlerPeer(serverName: "other.example")
    let waiting = peer.write([1])
    peer.channel.flush()
    peer.run()
    #expect(peer.recorder.events.prefix(2) == [.error(.certificate), .inactive])
    #expect(peer.recorder.errors.count == 1)
    #expect(peer.recorder.errors.first?.verifyReason == "hostname mismatch")
    #expect((waiting.error as? TLSError)?.kind == .certificate)
    #expect(peer.server.failure?.contains("alert") == true)
    #expect(!peer.channel.isActive)
    let late = peer.write([2])
    #expect((late.error as? TLSError)?.kind == .certificate)
  }

  @Test func whatCameBeforeABrokenRecordIsDeliveredFirst() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.server.write([1])
    let good = peer.server.takeOutput()
    peer.server.write([2])
    var bad = peer.server.takeOutput()
    bad[bad.count - 1] ^= 1
    peer.deliver(good + bad)
    #expect(
      peer.recorder.events.prefix(4)
        == [.read([1]), .readComplete, .error(.protocolViolation), .inactive])
    peer.takeOutbound().forEach(peer.server.receive)
    #expect(peer.server.failure?.contains("alert") == true)
  }

  @Test func nothingPassesAfterAFailure() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.deliver([23, 3, 3, 0, 1, 0])
    #expect(peer.recorder.errors.count == 1)
    peer.recorder.events = []
    peer.server.write([1])
    peer.deliver(peer.server.takeOutput())
    #expect(!peer.recorder.events.contains(.read([1])))
    #expect(peer.recorder.errors.count == 1)
  }

  @Test func thePendingLimitHoldsToTheByte() throws {
    let fits = try TLSHandlerPeer(pendingBytesMax: 10)
    let outcomes = [fits.write([1, 2, 3, 4, 5, 6]), fits.write([7, 8, 9, 10])]
    fits.channel.flush()
    fits.run()
    #expect(outcomes.allSatisfy { $0.isDone })
    #expect(fits.server.received == Array(1...10))
    let more = (0..<5).map { _ in fits.write([0, 0, 0]) }
    fits.channel.flush()
    #expect(more.allSatisfy { $0.isDone })  // No limit of its own once the stream is open.

    let full = try TLSHandlerPeer(pendingBytesMax: 10)
    let first = full.write([1, 2, 3, 4, 5, 6])
    let second = full.write([7, 8, 9, 10, 11])
    #expect((first.error as? TLSError)?.kind == .write)
    #expect((second.error as? TLSError)?.kind == .write)
    #expect(full.recorder.events.first == .error(.write))
    #expect(!full.channel.isActive)
  }

  @Test func aNextHandlerMayCloseWhileItReads() throws {
    let peer = try TLSHandlerPeer.opened()
    peer.recorder.onRead = { context in context.close(promise: nil) }
    peer.server.write([1])
    peer.server.sendCloseNotify()
    peer.deliver(peer.server.takeOutput())
    #expect(peer.recorder.errors.isEmpty)
    #expect(peer.recorder.events.filter { $0 == .inactive }.count == 1)
  }
}
