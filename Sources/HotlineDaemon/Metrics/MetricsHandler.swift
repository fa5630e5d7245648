import NIOCore
import NIOPosix

/// Answers `GET /metrics` of one connection, and closes it: as much of HTTP (RFC 9112) as a scraper
/// needs.
final class MetricsHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Bytes of a request, and how long it may take to come.
  private static let headBytesMax = 8192
  private static let patience: TimeAmount = .seconds(10)

  private let page: () -> String
  private var head: [UInt8] = []
  private var isAnswered = false
  private var timer: Scheduled<Void>?

  init(_ page: @escaping () -> String) {
    self.page = page
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    timer = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isAnswered else { return }
    head += unwrapInboundIn(data).readableBytesView
    guard head.count <= Self.headBytesMax else {
      return answer(context, "431 Request Header Fields Too Large", "")
    }
    guard
      [[0x0D, 0x0A, 0x0D, 0x0A], [0x0A, 0x0A]].contains(where: { head.firstRange(of: $0) != nil })
    else { return }
    let line = head.prefix { $0 != 0x0D && $0 != 0x0A }
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
      return answer(context, "400 Bad Request", "")
    }
    guard words[1].prefix(while: { $0 != "?" }) == "/metrics" else {
      return answer(context, "404 Not Found", "the metrics are at /metrics\n")
    }
    switch words[0] {
    case "GET": answer(context, "200 OK", page())
    case "HEAD": answer(context, "200 OK", page(), isHead: true)
    default: answer(context, "405 Method Not Allowed", "")
    }
  }

  private func answer(
    _ context: ChannelHandlerContext, _ status: String, _ body: String, isHead: Bool = false
  ) {
    isAnswered = true
    let head =
      "HTTP/1.1 \(status)\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    let buffer = ByteBuffer(string: head + (isHead ? "" : body))
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in
      channel.close(mode: .all, promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}

/// Where metrics can be fetched. Daemon loop.
enum MetricsListener {
  /// Connections at once, of each listener; more are closed: descriptors are for clients.
  private static let connectionsMax = 32

  private struct TooMany: Error {}

  /// A bound Unix socket, whose descriptor it takes over.
  static func serve(
    descriptor: CInt, on loop: any EventLoop, _ page: @escaping @Sendable () -> String
  ) -> EventLoopFuture<any Channel> {
    bootstrap(loop, page).withBoundSocket(descriptor)
  }

  /// A port of this machine alone.
  static func serve(
    at address: MetricsAddress, on loop: any EventLoop, _ page: @escaping @Sendable () -> String
  ) -> EventLoopFuture<any Channel> {
    bootstrap(loop, page)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: address.host, port: address.port)
  }

  private static func bootstrap(
    _ loop: any EventLoop, _ page: @escaping @Sendable () -> String
  ) -> ServerBootstrap {
    let open = NIOLoopBoundBox(0, eventLoop: loop)
    return ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 16)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard open.value < connectionsMax else { throw TooMany() }
          open.value += 1
          channel.closeFuture.assumeIsolated().whenComplete { _ in open.value -= 1 }
          try channel.pipeline.syncOperations.addHandler(MetricsHandler(page))
        }
      }
  }
}
