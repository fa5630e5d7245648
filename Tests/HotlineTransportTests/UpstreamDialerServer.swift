import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import TestSupport

@testable import HotlineTransport

/// TLS on a real socket, for a server that is not made of the code under test.
final class TLSServerHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let server: TLSTestServer
  private var bytesPassedOn = 0

  init(_ context: TLSTestServerContext) { server = TLSTestServer(context) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    server.receive(Array(unwrapInboundIn(data).readableBytesView))
    sendOutput(context, promise: nil)
    context.flush()
    let received = server.received[bytesPassedOn...]
    bytesPassedOn = server.received.count
    if !received.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: received))) }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let bytes = Array(unwrapOutboundIn(data).readableBytesView)
    if !bytes.isEmpty { server.write(bytes) }
    sendOutput(context, promise: promise)
  }

  private func sendOutput(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    context.write(wrapOutboundOut(ByteBuffer(bytes: server.takeOutput())), promise: promise)
  }
}

/// Sends every text back and answers pings and closes; a text `close` is answered with close 4000.
///
/// What is sent back as it came may be compressed: both sides have the same window then.
private final class EchoHandler: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let received = unwrapInboundIn(data)
    let answer: WebSocketFrame
    switch received.opcode {
    case .ping: answer = frame(.pong, received.unmaskedData.readableBytesView)
    case .text where received.text == "close": answer = frame(.connectionClose, [0x0F, 0xA0])
    case .text:
      answer = WebSocketFrame(
        fin: true, rsv1: received.rsv1, opcode: .text, data: received.unmaskedData)
    case .connectionClose:
      context.writeAndFlush(
        wrapOutboundOut(frame(.connectionClose, received.unmaskedData.readableBytesView)),
        promise: nil)
      context.close(promise: nil)
      return
    default: return
    }
    context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
  }
}

enum DialerServer {
  /// A WebSocket server of NIO's own parts on a free port of 127.0.0.1, or of `host`.
  ///
  /// - Parameter extensions: what it agrees to, asked or not.
  static func start(
    _ group: MultiThreadedEventLoopGroup, tls: TLSTestServerContext? = nil,
    extensions: String? = nil, host: String = "127.0.0.1", socketPath: String? = nil
  ) async throws -> any Channel {
    let bootstrap = ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(TLSServerHandler(tls)) }
          let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: 1 << 24,
            shouldUpgrade: { channel, _ in
              let fields = extensions.map { [("Sec-WebSocket-Extensions", $0)] } ?? []
              return channel.eventLoop.makeSucceededFuture(HTTPHeaders(fields))
            },
            upgradePipelineHandler: { channel, _ in
              channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([
                  NIOWebSocketFrameAggregator(
                    minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 10_000,
                    maxAccumulatedFrameSize: 1 << 26),
                  EchoHandler(),
                ])
              }
            })
          try pipeline.configureHTTPServerPipeline(
            withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        }
      }
    if let socketPath {
      return try await bootstrap.bind(unixDomainSocketPath: socketPath).get()
    }
    return try await bootstrap.bind(host: host, port: 0).get()
  }

  /// A server that takes connections and says `greeting`, or nothing.
  static func startMute(
    _ group: MultiThreadedEventLoopGroup, greeting: String? = nil
  ) async throws -> any Channel {
    try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        guard let greeting else { return channel.eventLoop.makeSucceededVoidFuture() }
        channel.writeAndFlush(ByteBuffer(string: greeting), promise: nil)
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }
}
