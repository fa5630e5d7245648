import Foundation
import NIOCore

/// What the simulator has seen since it was made.
package struct SimulatorStatistics: Codable, Equatable, Sendable {
  /// TCP connections accepted.
  package var connections = 0
  /// WebSocket connections open at this moment.
  package var open = 0
  /// TLS handshakes that ended well, resumed ones among them.
  package var handshakes = 0
  package var resumedHandshakes = 0
  package var failedHandshakes = 0
  package var upgrades = 0
  package var refusedUpgrades = 0
  /// `response.create` messages, refused ones among them.
  package var requests = 0
  /// Requests for which a response was started.
  package var responses = 0
  /// Responses whose terminal event was `response.completed`.
  package var completed = 0
  package var cancelled = 0
  /// Steers that were accepted.
  package var steered = 0
  /// Requests that came while the connection was busy.
  package var refusedBusy = 0
  /// Requests that waited until their connection ran fewer responses.
  package var queued = 0
  /// Most responses that ran at once.
  package var responsesAtOnceMax = 0
  /// Error events sent.
  package var errors = 0
  /// Text messages sent.
  package var messagesSent = 0
  package var compressedMessagesReceived = 0
  package var compressedMessagesSent = 0
  package var pings = 0
  package var pongs = 0
  package var closesReceived = 0
  /// Connections that ended without a close frame from the client.
  package var ended = 0
  /// Frames and messages of the client that break RFC 6455, or members that are not the server's.
  package var violations = 0
  /// When it began to listen, after ``Simulator/pause()`` again: nanoseconds of `CLOCK_MONOTONIC`.
  package var listeningSinceNs = 0
  /// Nanoseconds from then until for the first time one connection was open, two, and so on.
  package var openAfterNs: [Int] = []

  /// So many openings are remembered.
  private static let openAfterMax = 64

  mutating func listens(at now: NIODeadline) {
    listeningSinceNs = Int(now.uptimeNanoseconds)
    openAfterNs = []
  }

  /// A WebSocket connection has opened.
  mutating func opened(at now: NIODeadline) {
    upgrades += 1
    let count = open + 1
    open = count
    guard count > openAfterNs.count, count <= Self.openAfterMax else { return }
    let passed = Int(now.uptimeNanoseconds) - listeningSinceNs
    openAfterNs += Array(repeating: passed, count: count - openAfterNs.count)
  }

  /// One line of JSON with the members in alphabetical order.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let data = (try? encoder.encode(self)) ?? Data("{}".utf8)
    return String(decoding: data, as: UTF8.self)
  }
}
