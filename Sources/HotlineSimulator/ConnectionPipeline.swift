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
    // What the first of the two closures agrees to the second does; nothing is agreed to twice.
    let agreed = NIOLoopBoundBox<CompressionTerms?>(nil, eventLoop: refusals.eventLoop)
    return NIOWebSocketServerUpgrader(
      // The handler judges a message's length itself; a frame may have it all.
      maxFrameSize: 1 << 30,
      shouldUpgrade: { channel, head in
        let refusal = UpgradeRefusal.decide(head, state.value)
        if let refusal {
          state.value.statistics.refusedUpgrades += 1
          refusals.value.refusal = refusal
        }
        var answer: HTTPHeaders?
        if refusal == nil {
          let offers = head.headers["sec-websocket-extensions"]
          agreed.value = state.value.behaviour.compression?.agreed(to: offers)
          var headers = HTTPHeaders([("x-request-id", state.value.makeRequestID())])
          headers.add(contentsOf: state.value.behaviour.upgradeHeaders)
          if let terms = agreed.value {
            headers.add(name: "Sec-WebSocket-Extensions", value: terms.field)
          }
          if let name = state.value.behaviour.subprotocol {
            headers.add(name: "Sec-WebSocket-Protocol", value: name)
          }
          answer = headers
        }
        let delay = TimeAmount(state.value.behaviour.upgradeDelay)
        guard delay > .zero else { return channel.eventLoop.makeSucceededFuture(answer) }
        return channel.eventLoop.scheduleTask(in: delay) { [answer] in answer }.futureResult
      },
      upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
          if let terms = agreed.value {
            try channel.pipeline.syncOperations.addHandler(
              CompressionHandler(terms, state.value))
          }
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
