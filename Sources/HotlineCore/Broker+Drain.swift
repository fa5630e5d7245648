extension Broker {
  /// The daemon is to end: accepted requests, waiting ones too, have `shutdownTimeout` to finish;
  /// asked again, it ends at once.
  package mutating func terminationRequested(at now: MonotonicInstant) -> [Action] {
    switch phase {
    case .running, .draining:
      phase = .terminating(until: now.advanced(by: limits.shutdownTimeout))
      return conclude([], at: now)
    case .terminating:
      return stopNow(at: now)
    case .stopped:
      return []
    }
  }

  /// No new requests are taken.
  package var isDraining: Bool { phase != .running }

  /// A client asks that no new requests be taken, and to be told when the accepted ones are done;
  /// a reload ends that.
  package mutating func drainRequested(
    _ command: CommandNumber, by client: ClientNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard clients[client] != nil, phase != .stopped else { return [] }
    if let error = commandRefusal(for: client) { return refuse(client, error) }
    if phase == .running { phase = .draining }
    clients[client]?.drains.append(command)
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .answersADrainTooEarly { return [.answer(command, nil)] }
    #endif
    return conclude([], at: now)
  }

  /// Why a client may not use the commands that change the daemon for all; nil where it may.
  package func commandRefusal(for client: ClientNumber) -> HotlineError? {
    guard let uid = clients[client]?.uid, uid != ownerUID, uid != 0 else { return nil }
    return HotlineError(
      .notAllowed, "only uid \(ownerUID), whose daemon this is, and root may do that; ask them to",
      origin: .client)
  }

  /// Tells everybody who asked for a drain how it ended.
  mutating func answerDrains(with error: HotlineError?) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsADrain, error == nil { return [] }
    #endif
    var answered: [(CommandNumber, ClientNumber)] = []
    for (number, client) in clients where !client.drains.isEmpty {
      answered += client.drains.map { ($0, number) }
      clients[number]?.drains = []
    }
    answered.sort { $0.0 < $1.0 }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .closesBetweenTwoAnswers {
        return answered.flatMap { [.answer($0.0, error)] + closeIfDone($0.1) }
      }
    #endif
    // One that asked twice is closed after both answers.
    let closing = Set(answered.map(\.1)).sorted().flatMap { closeIfDone($0) }
    return answered.map { .answer($0.0, error) } + closing
  }

  mutating func stopNow(at now: MonotonicInstant) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .stopsBeforeTheLastLines { return [.stop] }
    #endif
    var actions: [Action] = []
    let error = HotlineError(
      .shuttingDown,
      "the daemon ended before the request did, which had queue.shutdown_timeout for that; send it "
        + "again when the daemon runs again", isRetryable: true)
    for number in requests.keys.sorted() {
      guard let request = requests[number] else { continue }
      var error = error
      error.sent = sent(of: request)
      actions += end(number, .error, with: error, lane: .lost, at: now)
    }
    actions += answerDrains(with: nil)
    phase = .stopped
    return actions + [.stop]
  }
}
