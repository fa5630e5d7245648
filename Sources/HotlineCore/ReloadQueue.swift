/// Reloads that were asked for: one reading of the configuration at a time, and for everybody one
/// that began after they asked.
///
/// Pure value, confined to the daemon loop.
package struct ReloadQueue: Sendable {
  package enum Asker: Hashable, Sendable {
    /// SIGHUP.
    case signal
    case command(CommandNumber)
  }

  /// Who gets the answer of the reading that is under way; empty if none is.
  package private(set) var reading: [Asker] = []
  /// Who asked since it began: what it reads may be older than what they mean.
  package private(set) var waiting: [Asker] = []

  package init() {}

  /// Several signals before a reading are one wish.
  package mutating func asked(by asker: Asker) {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .answersWithAnOlderReading, !reading.isEmpty {
        return reading.append(asker)
      }
    #endif
    if asker == .signal, waiting.contains(.signal) { return }
    waiting.append(asker)
  }

  /// - Returns: whether to read the configuration now.
  package mutating func beginReading() -> Bool {
    guard reading.isEmpty, !waiting.isEmpty else { return false }
    reading = waiting
    waiting = []
    return true
  }

  /// - Returns: who gets its answer.
  package mutating func readingEnded() -> [Asker] {
    defer { reading = [] }
    return reading
  }

  /// The daemon is to end: nobody gets a reload any more.
  ///
  /// - Returns: who is to be told so; a reading that is under way ends without anybody.
  package mutating func endAll() -> [Asker] {
    defer {
      reading = reading.isEmpty ? [] : [.signal]
      waiting = []
    }
    return waiting + reading
  }
}
