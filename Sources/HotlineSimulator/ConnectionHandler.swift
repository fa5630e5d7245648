import NIOCore
import NIOWebSocket

/// The server's side of one WebSocket connection. Confined to its channel's loop.
///
/// Here: its life, frames and control frames. `+Requests` reads the client's messages, `+Streaming`
/// sends a response, `+Faults` does what was ordered, `+Lanes` has several responses run at once.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  enum Phase {
    /// Next: `.closing`, `.dead`.
    case open
    /// A close frame was sent; nothing else follows. Next: the channel's end.
    case closing
    /// Plays dead until the socket ends.
    case dead
  }

  /// How long a client may take to answer a close frame.
  private static let closeTimeout = TimeAmount.seconds(2)

  let number: Int
  let state: SimulatorState
  let behaviour: SimulatorBehaviour
  var phase = Phase.open {
    didSet {
      for lane in lanes.values {
        lane.phase = phase
        lane.endRun()
      }
    }
  }
  private(set) var context: ChannelHandlerContext?
  /// The one response that runs.
  var run: ResponseRun?
  /// The response that may be continued here.
  var latestResponseID: String?
  /// Of the Realtime API: what was said in the connection's conversation, latest last.
  var said: [String] = []
  /// Its lanes by name, if the client names any.
  var lanes: [String: ConnectionHandler] = [:]
  /// Requests that wait until fewer responses run here, first come first.
  var waiting: [(lane: ConnectionHandler, parameters: ResponseParameters, plan: FaultPlan)] = []
  /// Of a lane: its connection, and its name there.
  private(set) weak var connection: ConnectionHandler?
  private(set) var laneName: String?
  private(set) var isPastAge = false
  private var message: ByteBuffer?
  private var isTextMessage = false
  private var closeReceived = false
  private var isPongMissing = false
  private var lastMessageAt = NIODeadline.now()

  init(number: Int, state: SimulatorState) {
    self.number = number
    self.state = state
    behaviour = state.behaviour
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    state.connections[number] = self
    state.statistics.opened(at: .now())
    if let age = behaviour.ageClose {
      after(TimeAmount(age)) { $0.ageReached() }
    }
    if let idle = behaviour.idleClose { armIdleTimer(TimeAmount(idle)) }
    if let interval = behaviour.pingInterval { armPingTimer(TimeAmount(interval)) }
    greet()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    leave()
  }

  func channelInactive(context: ChannelHandlerContext) {
    leave()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if error is NIOWebSocketError { state.statistics.violations += 1 }
    context.fireErrorCaught(error)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      pump()
      for lane in lanes.values { lane.pump() }
    }
    context.fireChannelWritabilityChanged()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase != .dead else { return }
    let frame = unwrapInboundIn(data)
    // RFC 6455 section 5.1: a server closes when a frame is not masked.
    guard frame.maskKey != nil else { return violation("unmasked frame") }
    guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
      return violation("reserved bit, or compressed data that is none")
    }
    switch frame.opcode {
    case .text, .binary, .continuation: dataFrameArrived(frame)
    case .ping: pingArrived(frame)
    case .pong:
      state.statistics.pongs += 1
      isPongMissing = false
    case .connectionClose: closeArrived(frame)
    default: violation("opcode \(frame.opcode)")
    }
  }

  /// Runs the body on the loop unless the connection has ended by then.
  @discardableResult
  func after(
    _ delay: TimeAmount, _ body: @escaping (ConnectionHandler) -> Void
  ) -> Scheduled<Void>? {
    guard let context else { return nil }
    return context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
      guard let self, self.context != nil else { return }
      body(self)
    }
  }
}

// MARK: - Sending

extension ConnectionHandler {
  func send(text: String) {
    guard let context else { return }
    lastMessageAt = .now()
    connection?.lastMessageAt = .now()
    state.statistics.messagesSent += 1
    write(.text, context.channel.allocator.buffer(string: named(text)))
  }

  func send(_ error: ErrorEvent) {
    state.statistics.errors += 1
    let isRealtime = state.behaviour.isRealtime
    send(text: error.json(eventID: isRealtime ? "event_\(state.makeIDSuffix())" : nil))
  }

  func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer, isFinal: Bool = true) {
    write(WebSocketFrame(fin: isFinal, opcode: opcode, data: data))
  }

  func write(_ frame: WebSocketFrame) {
    guard phase == .open else { return }
    context?.write(wrapOutboundOut(frame), promise: nil)
  }

  func flush() {
    context?.flush()
  }

  /// Sends a close frame and ends the connection once the client has answered, or in two seconds.
  func close(code: UInt16, reason: String) {
    if let connection { return connection.close(code: code, reason: reason) }
    guard let context, phase == .open else { return }
    var data = context.channel.allocator.buffer(capacity: 2 + reason.utf8.count)
    data.writeInteger(code)
    data.writeString(reason)
    write(.connectionClose, data)
    flush()
    endRun()
    phase = .closing
    if closeReceived {
      context.close(promise: nil)
    } else {
      after(Self.closeTimeout) { $0.context?.close(promise: nil) }
    }
  }
}

// MARK: - Receiving

extension ConnectionHandler {
  private func dataFrameArrived(_ frame: WebSocketFrame) {
    guard phase == .open else { return }
    let data = frame.unmaskedData
    if frame.opcode == .continuation {
      guard var whole = message else { return violation("continuation of nothing") }
      message = nil
      var more = data
      whole.writeBuffer(&more)
      message = whole
    } else {
      guard message == nil else { return violation("new message inside a message") }
      message = data
      isTextMessage = frame.opcode == .text
    }
    let count = message?.readableBytes ?? 0
    guard count <= behaviour.messageBytesMax else {
      return close(code: 1009, reason: "message too big")
    }
    if frame.fin, let whole = message {
      message = nil
      messageArrived(whole)
    }
  }

  private func messageArrived(_ data: ByteBuffer) {
    lastMessageAt = .now()
    guard isTextMessage else {
      return close(code: 1003, reason: "text only")
    }
    guard
      let text = try? data.getUTF8ValidatedString(at: data.readerIndex, length: data.readableBytes)
    else {
      state.statistics.violations += 1
      return close(code: 1007, reason: "not UTF-8")
    }
    textArrived(text)
  }

  private func pingArrived(_ frame: WebSocketFrame) {
    state.statistics.pings += 1
    guard state.behaviour.answersPings else { return }
    write(.pong, frame.unmaskedData)
    flush()
  }

  private func closeArrived(_ frame: WebSocketFrame) {
    state.statistics.closesReceived += 1
    closeReceived = true
    var data = frame.unmaskedData
    if phase == .open {
      // RFC 6455 section 5.5.1: echo the code; an empty close is answered by an empty one.
      write(.connectionClose, data.readSlice(length: min(2, data.readableBytes)) ?? ByteBuffer())
      flush()
      endRun()
      phase = .closing
    }
    context?.close(promise: nil)
  }

  private func violation(_ what: String) {
    state.statistics.violations += 1
    close(code: 1002, reason: what)
  }
}

// MARK: - Life

extension ConnectionHandler {
  private func greet() {
    if behaviour.greets || behaviour.isRealtime {
      let suffix = state.makeIDSuffix()
      send(
        text: #"{"type":"session.created","event_id":"event_\#(suffix)","session":"#
          + #"{"id":"sess_\#(suffix)","object":"realtime.session","type":"realtime"}}"#)
    }
    if let code = behaviour.errorAfterOpen {
      send(ErrorEvent(code: code, message: "Refused right after the upgrade, as ordered."))
    }
    flush()
    if let code = behaviour.closeAfterOpen {
      close(code: code, reason: "closed right after the upgrade")
    }
  }

  /// Closes as a server does whose connections have an age limit, unless a response runs.
  func closeIfPastAge() {
    if let connection { return connection.closeIfPastAge() }
    guard isPastAge, isIdle, phase == .open else { return }
    send(
      ErrorEvent(
        code: "websocket_connection_limit_reached", message: "The connection is too old."))
    close(code: 1001, reason: "connection limit reached")
  }

  /// Nothing runs here, on no lane either.
  private var isIdle: Bool {
    run == nil && waiting.isEmpty && lanes.values.allSatisfy { $0.run == nil }
  }

  /// Becomes a lane of a connection.
  func join(_ connection: ConnectionHandler, as name: String) {
    self.connection = connection
    laneName = name
    context = connection.context
  }

  private func ageReached() {
    isPastAge = true
    closeIfPastAge()
  }

  private func armIdleTimer(_ limit: TimeAmount) {
    let quiet = NIODeadline.now() - lastMessageAt
    after(isIdle ? limit - quiet : limit) { connection in
      guard connection.phase == .open else { return }
      if connection.isIdle, NIODeadline.now() - connection.lastMessageAt >= limit {
        connection.close(code: 1000, reason: "idle")
      } else {
        connection.armIdleTimer(limit)
      }
    }
  }

  private func armPingTimer(_ interval: TimeAmount) {
    after(interval) { connection in
      guard connection.phase == .open else { return }
      if connection.isPongMissing {
        connection.close(code: 1011, reason: "no pong")
        return
      }
      connection.isPongMissing = true
      connection.write(.ping, ByteBuffer(string: "simulator"))
      connection.flush()
      connection.armPingTimer(interval)
    }
  }

  private func leave() {
    guard context != nil else { return }
    endRun()
    waiting = []
    for lane in lanes.values {
      lane.endRun()
      lane.context = nil
    }
    context = nil
    state.connections[number] = nil
    state.statistics.open -= 1
    if !closeReceived { state.statistics.ended += 1 }
  }
}
