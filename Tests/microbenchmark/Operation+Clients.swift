import HotlineCore
import HotlineTransport
import NIOCore
import NIOEmbedded

extension Operation {
  /// Local connections, without their sockets.
  static var clients: [Operation] {
    [
      Operation(name: "client-from-first-to-last", count: 200) {
        let world = ClientWorld()
        return {
          let (client, channel) = world.connect()
          world.exchange(client, channel)
          channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
          client.close()
          channel.embeddedEventLoop.run()
        }
      },
      Operation(name: "client-line-and-16-events", count: 500) {
        let world = ClientWorld()
        let (client, channel) = world.connect()
        return { world.exchange(client, channel) }
      },
    ]
  }
}

/// Clients on embedded channels, and a delegate that does nothing.
private final class ClientWorld: ClientHandlerDelegate {
  private let buffers = BufferPool()
  private let ledger = MemoryLedger(limit: 1 << 30)
  private let line = ByteBuffer(bytes: Samples.lines(1))

  func connect() -> (ClientHandler, EmbeddedChannel) {
    let channel = EmbeddedChannel()
    let client = ClientHandler(
      number: ClientNumber(1), limits: ClientHandlerLimits(), buffers: buffers, ledger: ledger,
      delegate: self)
    do {
      try channel.pipeline.syncOperations.addHandler(client)
      try channel.connect(to: SocketAddress(unixDomainSocketPath: "/hotline.sock")).wait()
    } catch {
      fatalError("no client: \(error)")
    }
    return (client, channel)
  }

  /// A line, and a batch of events for it.
  func exchange(_ client: ClientHandler, _ channel: EmbeddedChannel) {
    do {
      try channel.writeInbound(line)
      for _ in 0..<16 { client.write(Samples.delta) }
      client.flush()
      guard try channel.readOutbound(as: ByteBuffer.self) != nil else { fatalError("no line") }
    } catch {
      fatalError("no exchange: \(error)")
    }
  }

  func clientConnected(_ client: ClientHandler) {}
  func clientSent(_ client: ClientHandler, line: ByteBuffer) { keep(line.readableBytes) }
  func clientSentTooLong(_ client: ClientHandler) {}
  func clientLineAbandoned(_ client: ClientHandler) {}
  func clientReadCompleted(_ client: ClientHandler) {}
  func clientHalfClosed(_ client: ClientHandler) {}
  func clientDrained(_ client: ClientHandler) {}
  func clientClosed(_ client: ClientHandler) {}
}
