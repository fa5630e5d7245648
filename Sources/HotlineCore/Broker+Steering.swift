/// The end of a response is not always that of its request: what its client has said meanwhile may
/// make another follow in its place.
extension Broker {
  /// The lane that an event is of: the one that it names, or that of the response that it answers
  /// for. The driver has to know whose unread bytes count.
  package func lane(
    of event: EventFacts, on number: ConnectionNumber, of upstream: UpstreamIndex
  ) -> LaneReference {
    guard event.lane == .none, event.controlAnswer != nil || event.kind == .error,
      let connection = upstreams[upstream.rawValue].pool.connections[number], connection.isOpen
    else { return event.lane }
    if case .of(let lane) = connection.refusal(in: event) { return .lane(lane) }
    guard event.controlAnswer != nil, case .lane(let lane) = connection.addressee(of: event) else {
      return event.lane
    }
    return .lane(lane)
  }

  /// The server has answered a message about a running response.
  mutating func controlAnswered(
    _ answer: ControlAnswer, by event: EventFacts, on connection: UpstreamConnection, lane: Int,
    _ index: Int, unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    let number = connection.number
    guard let running = connection.lanes[lane].occupant,
      connection.lanes[lane].isAbout(event.responseID)
    else {
      // About a response that is over: nobody waits for it any more.
      counters.idleEventsIgnored += 1
      return []
    }
    upstreams[index].pool.connections[number]?.lanes[lane].steering.answered(answer)
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsThatASteerWasAccepted {
        upstreams[index].pool.connections[number]?.lanes[lane].steering.answered(.pending)
      }
    #endif
    var actions: [Action] = []
    if connection.lanes[lane].running != nil {
      let place = Affinity.Place(connection: number, lane: lane)
      actions = pass(event, running, at: place, index, unreadBytes: unreadBytes, at: now)
    } else {
      counters.abandonedEvents += 1
    }
    return actions + endIfSettled(lane, of: number, index, at: now)
  }

  /// Ends the request of a lane whose response has ended, unless more of it is to come.
  ///
  /// - Parameter error: what its client is told instead of its outcome.
  mutating func endIfSettled(
    _ lane: Int, of number: ConnectionNumber, _ index: Int, with error: HotlineError? = nil,
    at now: MonotonicInstant
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number], connection.isOpen,
      let ended = connection.lanes[lane].steering.ended
    else { return [] }
    let steering = connection.lanes[lane].steering
    switch connection.lanes[lane].state {
    case .idle, .warming, .spent:
      return []
    case .abandoned(let running, _):
      guard !steering.isUnsettled else { return [] }
      let reason = reasonToDistrust(steering, after: ended.outcome)
      freeLane(lane, of: number, index, running, isSpent: reason != nil, at: now)
      return reason.map { retire(number, of: index, $0, at: now) } ?? []
    case .busy(let running) where steering.isUnsettled:
      guard let error else { return [] }
      return end(running.request, .error, with: error, at: now)
    case .busy(let running):
      let actions = end(
        running.request, error == nil ? ended.outcome : .error, with: error,
        lane: steering.isInterrupted ? .spent : .freed, at: now)
      guard steering.isInterrupted else { return actions }
      return actions + retire(number, of: index, .steered, at: now)
    }
  }

  /// Why more may come of a response that ended unwanted.
  private func reasonToDistrust(_ steering: Steering, after outcome: Outcome) -> CloseReason? {
    if steering.isInterrupted { return .steered }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .trustsACancelThatCameTooLate { return nil }
    #endif
    // It ended before the server was asked to end it: the answer to that, an error that names
    // nothing, is still to come.
    return steering.cancelAskedFor != nil && outcome != .cancelled ? .abandoned : nil
  }

  /// Asks the server to end the response on an abandoned lane, once it is known which that is.
  mutating func askToCancel(
    _ lane: Int, of number: ConnectionNumber, _ index: Int
  ) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .asksNotToCancel { return [] }
    #endif
    guard upstreams[index].pool.limits.cancel == .ask,
      let current = upstreams[index].pool.connections[number]?.lanes[lane],
      case .abandoned(let running, _) = current.state, !running.isBetweenResponses,
      let response = running.responseID, current.steering.cancelAskedFor != response
    else { return [] }
    upstreams[index].pool.connections[number]?.lanes[lane].steering.cancelAskedFor = response
    counters.cancelsAsked += 1
    return [.cancelResponse(response, on: number)]
  }

  /// Ends requests of which nothing more has come in time: what may still come reaches nobody.
  mutating func steeringDue(
    _ number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    guard let lanes = upstreams[index].pool.connections[number]?.lanes else { return [] }
    var actions: [Action] = []
    for lane in lanes {
      guard let running = lane.running, let ended = lane.steering.ended, now >= ended.giveUpAt
      else { continue }
      actions += end(running.request, ended.outcome, lane: .spent, at: now)
      actions += retire(number, of: index, .steered, at: now)
    }
    return actions
  }
}

extension UpstreamConnection {
  /// Whether an error answers a message about a running response.
  enum Refusal {
    case no
    /// One about what runs on this lane.
    case of(lane: Int)
    /// One of several, or one about what has ended.
    case unclear
  }

  /// What an error is that names nothing while messages about responses wait for their answers.
  ///
  /// A server that does not know `response.steer` answers it so, and goes on with the response. One
  /// that ended the response with such words would leave its request to its time limit; but servers
  /// that fail in the middle say `response.failed`, or an error that is theirs.
  func refusal(in event: EventFacts) -> Refusal {
    guard event.blamesAMessage else { return .no }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .endsWhatIsRefusedASteer { return .no }
    #endif
    let asked = lanes.indices.filter { lane in
      guard !lanes[lane].isIdle, lanes[lane].steering.awaitsAnswer else { return false }
      switch event.lane {
      case .none: break
      case .lane(lane) where namesLanes: break
      case .lane, .unknown: if namesLanes { return false }
      }
      // Or it is the answer to that.
      return lanes[lane].steering.cancelAskedFor == nil
    }
    guard let first = asked.first else { return .no }
    return asked.count == 1 && lanes[first].occupant != nil ? .of(lane: first) : .unclear
  }
}

extension EventFacts {
  /// An error as the answer that it is: it ends no response.
  var asRefusal: Self {
    var event = self
    event.kind = .progress
    event.controlAnswer = .refused
    return event
  }
}

extension Lane {
  /// A response of what runs here is meant, or none is named while one runs.
  func isAbout(_ response: ByteString?) -> Bool {
    guard let occupant, occupant.hasResponse else { return false }
    guard let response else { return true }
    return response == occupant.responseID || steering.earlierResponses.contains(response)
  }

  /// Its response has ended; what is unsettled may make another follow.
  mutating func responseEnded(
    _ event: EventFacts, _ outcome: Outcome, giveUpAt: MonotonicInstant
  ) {
    steering.responseEnded(
      outcome, usage: event.usage, isSuperseded: event.isSuperseded, giveUpAt: giveUpAt)
    guard steering.isUnsettled else { return }
    if let id = occupant?.responseID { ended(id) }
    switch state {
    case .busy(var running):
      running.isBetweenResponses = true
      state = .busy(running)
    case .abandoned(var running, let until):
      running.isBetweenResponses = true
      state = .abandoned(running, giveUpAt: until)
    case .idle, .warming, .spent:
      break
    }
  }
}
