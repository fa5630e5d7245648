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

  /// An event as its lane says it; what is no object is said by nobody in particular.
  func named(_ text: String) -> String {
    guard let laneName, text.hasPrefix("{\"") else { return text }
    return "{\"stream_id\":\"\(laneName)\"," + text.dropFirst()
  }
}
