extension Broker {
  /// The daemon is to end: accepted requests, waiting ones too, have `shutdownTimeout` to finish;
  /// asked again, it ends at once.
  package mutating func terminationRequested(at now: MonotonicInstant) -> [Action] {
    switch phase {
    case .running:
      phase = .draining(until: now.advanced(by: limits.shutdownTimeout))
      return conclude([], at: now)
    case .draining:
      return stopNow(at: now)
    case .stopped:
      return []
    }
  }

  package var isDraining: Bool { phase != .running }

  mutating func stopNow(at now: MonotonicInstant) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .stopsBeforeTheLastLines { return [.stop] }
    #endif
    var actions: [Action] = []
    for number in requests.keys.sorted() {
      guard let request = requests[number] else { continue }
      let error = HotlineError(
        .shuttingDown, "the daemon ended before the request did", sent: sent(of: request),
        isRetryable: true)
      actions += end(number, .error, with: error, lane: .lost, at: now)
    }
    phase = .stopped
    return actions + [.stop]
  }
}
