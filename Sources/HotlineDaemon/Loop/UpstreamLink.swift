import HotlineCore
import HotlineTransport
import HotlineWire
import NIOCore

/// What the driver keeps of an upstream connection.
final class UpstreamLink {
  let number: ConnectionNumber
  let dialedAt: MonotonicInstant
  let upstream: UpstreamIndex
  /// What its server was dialled to take; a reload changes all of it but the envelope.
  private(set) var dialect: UpstreamDialect
  /// Strikes out the secrets that its server was told.
  let redactor: SecretRedactor
  var handler: UpstreamHandler?
  /// The model of the warm-up that it was sent.
  var warmUpModel: String?
  /// The request that runs on it, if it is just one: the way of its events without a look-up.
  private(set) var running: RequestRecord?
  /// What runs on its lanes; empty while it carries one response at a time.
  private var lanes: [RequestRecord?] = []
  var facts: UpgradeFacts?
  /// Bytes of a message that is not complete yet, as last accounted.
  var bytesAccounted = 0
  var patience = ReaderPatience()
  /// Ends the time for which its server is held up.
  var holdTimer: Scheduled<Void>?

  init(
    _ number: ConnectionNumber, of upstream: UpstreamIndex, _ runtime: UpstreamRuntime,
    at now: MonotonicInstant
  ) {
    self.number = number
    dialedAt = now
    self.upstream = upstream
    dialect = runtime.dialect
    redactor = runtime.endpoint.redactor
  }

  /// Its upstream's settings were read again.
  func reloaded(_ dialect: UpstreamDialect) {
    if dialect.envelope == self.dialect.envelope { self.dialect = dialect }
  }

  // MARK: Requests

  /// The request that an event is of, as far as the lane that it names tells; a connection without
  /// lanes has but one. Whether the event is believed is the core's decision.
  func record(on lane: LaneReference) -> RequestRecord? {
    guard !lanes.isEmpty else { return running }
    switch lane {
    case .none: return running
    case .lane(let index): return lanes.indices.contains(index) ? lanes[index] : nil
    case .unknown: return nil
    }
  }

  func holds(_ record: RequestRecord) -> Bool {
    running === record || lanes.contains { $0 === record }
  }

  /// - Parameter lane: nil if the connection carries one response at a time.
  func began(_ record: RequestRecord, on lane: Int?) {
    guard let lane else {
      lanes = []
      running = record
      return
    }
    while lanes.count <= lane { lanes.append(nil) }
    lanes[lane] = record
    findRunning()
  }

  func ended(_ record: RequestRecord) {
    guard !lanes.isEmpty else {
      if running === record { running = nil }
      return
    }
    for lane in lanes.indices where lanes[lane] === record { lanes[lane] = nil }
    findRunning()
  }

  func allEnded() {
    lanes = []
    running = nil
  }

  private func findRunning() {
    let busy = lanes.lazy.compactMap { $0 }
    running = busy.dropFirst().isEmpty ? busy.first : nil
  }

  /// The clients of all that runs.
  var clients: some Sequence<ClientHandler> {
    let records = lanes.isEmpty ? [running] : lanes
    return records.lazy.compactMap { $0?.client }
  }

  /// What runs, for the log: `request 12 on lane-2`.
  var runningInWords: String {
    if lanes.isEmpty { return running.map { "request \($0.number.rawValue)" } ?? "nothing" }
    let words = lanes.enumerated().compactMap { lane, record in
      record.map { "request \($0.number.rawValue) on \(LaneName.name(of: lane))" }
    }
    return words.isEmpty ? "nothing" : words.joined(separator: ", ")
  }
}
