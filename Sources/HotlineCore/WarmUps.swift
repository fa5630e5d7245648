/// Whether the new connections of one upstream are warmed up: sent what all requests share, so that
/// the server has it ready when the first request comes.
///
/// Nobody asked for a warm-up, so none may do harm: a server that does not take them is left alone.
package struct WarmUps: Sendable {
  /// Why an upstream gets no more of them until a reload.
  package enum Reason: Hashable, Sendable {
    /// The server answered with an error; its words.
    case refused(String)
    /// One did not end within `abandonedTimeout`.
    case overdue
    /// Several in a row failed, or were lost with their connections.
    case failing
  }

  package enum State: String, Hashable, Sendable, CaseIterable {
    /// None are wanted.
    case off
    case on
    /// They are wanted, but the server does not take them. Next: `.on` by a reload.
    case refused
  }

  package struct Snapshot: Hashable, Sendable {
    package var state: State
    package var sent: UInt64
    package var failed: UInt64
  }

  /// So many may fail in a row.
  static let failuresMax = 3

  private var isRefused = false
  private var failuresInARow = 0
  /// A connection is gone that had been warmed up and had served nobody. A server that ends every
  /// connection after one response would otherwise be paid for one warm-up after the other, and so
  /// would any for as long as nobody asks, whenever an idle connection is replaced.
  private var isWasted = false
  private var sentCount: UInt64 = 0
  private var failedCount: UInt64 = 0

  /// The next new connection may have one.
  var areWelcome: Bool {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .warmsUpAgainAfterARefusal { return !isWasted }
    #endif
    return !isRefused && !isWasted
  }

  mutating func sent() { sentCount += 1 }

  mutating func succeeded() {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .countsWarmUpLossesForEver { return }
    #endif
    failuresInARow = 0
  }

  /// One came to nothing, for a reason that says nothing of warm-ups.
  mutating func passed() { failedCount += 1 }

  /// One came to nothing, perhaps because it was one.
  ///
  /// - Returns: why there are no more from now on; nil where there are, or were none before.
  mutating func failed() -> Reason? {
    failedCount += 1
    failuresInARow += 1
    return failuresInARow >= Self.failuresMax ? giveUp(.failing) : nil
  }

  /// The server has said, or shown, that it does not take them.
  ///
  /// - Returns: nil if that was known.
  mutating func refused(_ reason: Reason) -> Reason? {
    failedCount += 1
    return giveUp(reason)
  }

  private mutating func giveUp(_ reason: Reason) -> Reason? {
    guard !isRefused else { return nil }
    isRefused = true
    return reason
  }

  mutating func wasted() { isWasted = true }
  mutating func requestServed() { isWasted = false }

  /// The configuration was read again: the server may be another one.
  mutating func reloaded() {
    isRefused = false
    isWasted = false
    failuresInARow = 0
  }

  func snapshot(isWanted: Bool) -> Snapshot {
    let state: State = isWanted ? (isRefused ? .refused : .on) : .off
    return Snapshot(state: state, sent: sentCount, failed: failedCount)
  }
}
