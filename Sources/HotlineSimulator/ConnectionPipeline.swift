import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The handlers of an accepted socket: TLS, HTTP until the upgrade, then frames.
enum ConnectionPipeline {
  /// Runs on the channel's loop.
  static func configure(
    _ channel: any Channel, _ state: NIOLoopBoundBox<SimulatorState>, _ tls: TLSServerContext?
  ) throws {
    let number = register(channel, state)
    if let tls {
      let handler = try TLSServerHandler(tls) { handshake in
        count(handshake, &state.value.statistics)
      }
      try channel.pipeline.syncOperations.addHandler(handler)
    }
    let refusals = NIOLoopBound(RefusalHandler(), eventLoop: channel.eventLoop)
    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
      withServerUpgrade: (
        upgraders: [upgrader(number, state, refusals)],
        completionHandler: { context in
          // After the upgrade nothing speaks HTTP.
          context.pipeline.syncOperations.removeHandler(refusals.value, promise: nil)
        }
      ))
    try channel.pipeline.syncOperations.addHandler(refusals.value)
  }

  private static func register(
    _ channel: any Channel, _ state: NIOLoopBoundBox<SimulatorState>
  ) -> Int {
    state.value.statistics.connections += 1
    let number = state.value.statistics.connections
    state.value.channels[number] = channel
    channel.closeFuture.whenComplete { _ in state.value.channels[number] = nil }
    return number
  }

  private static func upgrader(
    _ number: Int, _ state: NIOLoopBoundBox<SimulatorState>,
    _ refusals: NIOLoopBound<RefusalHandler>
  ) -> NIOWebSocketServerUpgrader {
    NIOWebSocketServerUpgrader(
      // The handler judges a message's length itself; a frame may have it all.
      maxFrameSize: 1 << 30,
      shouldUpgrade: { channel, head in
        let refusal = UpgradeRefusal.decide(head, state.value)
        if let refusal {
          state.value.statistics.refusedUpgrades += 1
          refusals.value.refusal = refusal
        }
        return channel.eventLoop.makeSucceededFuture(refusal == nil ? HTTPHeaders() : nil)
      },
      upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            ConnectionHandler(number: number, state: state.value))
        }
      })
  }

  private static func count(
    _ handshake: TLSServerHandler.Handshake, _ statistics: inout SimulatorStatistics
  ) {
    switch handshake {
    case .full: statistics.handshakes += 1
    case .resumed:
      statistics.handshakes += 1
      statistics.resumedHandshakes += 1
    case .failed: statistics.failedHandshakes += 1
    }
  }
}
