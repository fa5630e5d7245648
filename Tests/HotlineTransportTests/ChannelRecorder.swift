import Glibc
import NIOCore
import TestSupport

@testable import HotlineTransport

/// Sends back what comes, and keeps it; closes when the peer sends no more.
final class ChannelRecorder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  struct Heard: Equatable, Sendable {
    var bytes: [UInt8] = []
    var ends: [String] = []
  }

  private(set) var isOver = false
  private var heard = Heard()
  private let promise: EventLoopPromise<Heard>
  /// When the channel is inactive.
  var over: EventLoopFuture<Heard> { promise.futureResult }

  init(_ loop: any EventLoop) { promise = loop.makePromise(of: Heard.self) }

  func channelActive(context: ChannelHandlerContext) { heard.ends.append("active") }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    heard.bytes += bytes.readableBytesView
    context.write(wrapOutboundOut(bytes), promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .inputClosed? = event as? ChannelEvent else { return }
    heard.ends.append("input closed")
    // After what is still to be written.
    let written = context.eventLoop.makePromise(of: Void.self)
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "end")), promise: written)
    written.futureResult.whenComplete { _ in channel.close(promise: nil) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    heard.ends.append("inactive")
    isOver = true
    promise.succeed(heard)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Two connected sockets: ours, which a channel is to own, does not block; the peer's does.
struct SocketPair: Sendable {
  let ours: CInt
  let peer: CInt

  init() throws {
    var both: [CInt] = [0, 0]
    guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &both) == 0 else {
      throw TestFailure("socketpair: \(errno)")
    }
    (ours, peer) = (both[0], both[1])
    SystemCalls.doNotBlock(ours)
    // A channel that falls silent fails its test, and hangs nothing.
    var limit = timeval(tv_sec: Deadline.usualSeconds, tv_usec: 0)
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(peer, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  func readToEnd() -> [UInt8] { read(.max) }

  /// - Returns: fewer bytes than `wanted` if no more come.
  func read(_ wanted: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var space = [UInt8](repeating: 0, count: 4096)
    while bytes.count < wanted, case let count = recv(peer, &space, space.count, 0), count > 0 {
      bytes += space[..<count]
    }
    return bytes
  }

  func shutDownWriting() { shutdown(peer, CInt(SHUT_WR)) }
  func closePeer() { close(peer) }
}
