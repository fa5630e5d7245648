import NIOCore

/// Responses side by side on one connection.
///
/// A lane is a handler of its own that is in no pipeline: it reads what its connection hands on,
/// runs one response at a time and continues its own latest one. What it says goes out by its
/// connection, with its name in it, and what ends one of them ends both.
extension ConnectionHandler {
  /// Names that a connection takes in its life, as OpenAI documents it.
  private static let laneNamesMax = 32
  private static let laneNameBytes = 1...256
  /// Responses of a connection that run side by side, as OpenAI documents it; others wait.
  private static let responsesMax = 16

  static func isLaneName(_ name: String) -> Bool {
    laneNameBytes.contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "_.-".utf8.contains(byte)
        }
      }
  }

  /// Hands a message on to the lane that it names.
  ///
  /// - Returns: what is wrong with the name.
  func handOn(_ message: ClientMessage, to name: String) -> ErrorEvent? {
    guard state.behaviour.hasLanes, Self.isLaneName(name) else {
      return ErrorEvent(
        code: "unknown_parameter", message: "Unknown parameter: stream_id.",
        parameter: "stream_id")
    }
    if let lane = lanes[name] {
      lane.arrived(message)
      return nil
    }
    guard lanes.count < Self.laneNamesMax else {
      return ErrorEvent(
        code: "websocket_stream_limit_reached", message: "Too many stream ids.",
        parameter: "stream_id")
    }
    let lane = ConnectionHandler(number: number, state: state)
    lane.join(self, as: name)
    lanes[name] = lane
    lane.arrived(message)
    return nil
  }

  /// Starts a response as soon as its connection runs fewer than it may.
  func startInTurn(_ parameters: ResponseParameters, _ plan: FaultPlan) {
    let connection = connection ?? self
    guard !connection.waiting.isEmpty || connection.responsesRunning >= Self.responsesMax else {
      return start(parameters, plan)
    }
    state.statistics.queued += 1
    connection.waiting.append((self, parameters, plan))
  }

  /// This lane's request waits for another's end.
  var isWaiting: Bool { connection?.waiting.contains { $0.lane === self } ?? false }

  /// A response has ended here.
  func placeFreed() {
    if let connection { return connection.placeFreed() }
    guard !waiting.isEmpty else { return }
    // Not at once: the place of a steered response is its successor's.
    after(.zero) { $0.startWaiting() }
  }

  private func startWaiting() {
    while phase == .open, !waiting.isEmpty, responsesRunning < Self.responsesMax {
      let (lane, parameters, plan) = waiting.removeFirst()
      lane.start(parameters, plan)
    }
  }

  private var responsesRunning: Int {
    lanes.values.count { $0.run != nil } + (run == nil ? 0 : 1)
  }

  /// An event as its lane says it; what is no object is said by nobody in particular.
  func named(_ text: String) -> String {
    guard let laneName, text.hasPrefix("{\"") else { return text }
    return "{\"stream_id\":\"\(laneName)\"," + text.dropFirst()
  }
}
