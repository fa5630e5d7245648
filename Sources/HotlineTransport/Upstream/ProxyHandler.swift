import HotlineCore
import HotlineTLS
import NIOCore

/// Speaks with the proxy until there is a tunnel, and then leaves the pipeline. Daemon loop.
final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum Failure: Error {
    case tls(String)
    case tunnel(TunnelFailure)
  }

  private var exchange: any TunnelExchange
  private let awaitsTLS: Bool
  private let bodyTimeout: Duration
  private var timer: Scheduled<Void>?
  /// Called once; the pipeline behind this handler is to be built when it returns.
  private var completion: ((Result<Void, Failure>) -> Void)?
  private(set) var hasBegun = false

  /// - Parameter awaitsTLS: a ``TLSHandler`` before this one speaks TLS with the proxy.
  init(
    _ exchange: any TunnelExchange, awaitsTLS: Bool, bodyTimeout: Duration,
    completion: @escaping (Result<Void, Failure>) -> Void
  ) {
    self.exchange = exchange
    self.awaitsTLS = awaitsTLS
    self.bodyTimeout = bodyTimeout
    self.completion = completion
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if !awaitsTLS { begin(context) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    // The handshake that the next handlers wait for is another.
    guard event is TLSHandshakeCompleted else {
      return context.fireUserInboundEventTriggered(event)
    }
    begin(context)
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard !hasBegun else { return }
    hasBegun = true
    context.writeAndFlush(wrapOutboundOut(exchange.begun()), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    guard completion != nil else { return }
    while true {
      switch exchange.received(&input) {
      case .incomplete: return
      case .awaitingBody: return arm(context)
      case .send(let bytes): context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
      case .failed(let failure): return complete(.failure(.tunnel(failure)))
      case .open: return opened(context, input)
      }
    }
  }

  private func arm(_ context: ChannelHandlerContext) {
    guard timer == nil else { return }
    timer = context.eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(bodyTimeout.wholeNanoseconds)
    ) { [self] in
      if let refusal = exchange.ended() { complete(.failure(.tunnel(refusal))) }
    }
  }

  private func opened(_ context: ChannelHandlerContext, _ rest: ByteBuffer) {
    complete(.success(()))
    if rest.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(rest))
      context.fireChannelReadComplete()
    }
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    let ended = hasBegun ? "closed the connection without an answer" : "closed the connection"
    complete(.failure(.tunnel(exchange.ended() ?? TunnelFailure(.failed, ended))))
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? TLSError, !hasBegun {
      complete(.failure(.tls(error.description)))
    } else if let refusal = exchange.ended() {
      complete(.failure(.tunnel(refusal)))
    } else {
      complete(
        .failure(.tunnel(TunnelFailure(.failed, "broke off the connection: \(describe(error))"))))
    }
    context.close(promise: nil)
  }

  private func complete(_ result: Result<Void, Failure>) {
    let completion = completion
    self.completion = nil
    timer?.cancel()
    timer = nil
    completion?(result)
  }
}
