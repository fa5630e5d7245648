import HotlineTransport
import NIOCore

/// Answers `GET /metrics` of one connection, and closes it: as much of HTTP (RFC 9112) as a scraper
/// needs.
final class MetricsHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Bytes of a request, and how long it may take to come.
  private static let headBytesMax = 8192
  private static let patience: TimeAmount = .seconds(10)

  /// Of its listener's.
  final class OpenCount {
    fileprivate(set) var count = 0
  }

  private let page: () -> String
  private let open: OpenCount
  private var head: [UInt8] = []
  private var isAnswered = false
  private var timer: Scheduled<Void>?

  init(_ page: @escaping () -> String, _ open: OpenCount) {
    self.page = page
    self.open = open
  }

  func channelActive(context: ChannelHandlerContext) {
    open.count += 1
    let channel = context.channel
    timer = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    open.count -= 1
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

  /// A bound Unix socket, whose descriptor it takes over.
  static func serve(
    descriptor: CInt, on loop: EpollLoop, _ page: @escaping () -> String
  ) throws -> StreamListener {
    let open = MetricsHandler.OpenCount()
    return try StreamListener(descriptor: descriptor, on: loop, backlog: 16) { _ in
      open.count < connectionsMax ? MetricsHandler(page, open) : nil
    }
  }

  /// A port of this machine alone.
  static func serve(
    at address: MetricsAddress, on loop: EpollLoop, _ page: @escaping () -> String
  ) throws -> StreamListener {
    let resolved = try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
    let descriptor = try StreamListener.bind(resolved)
    return try serve(descriptor: descriptor, on: loop, page)
  }
}
