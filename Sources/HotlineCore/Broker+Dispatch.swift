import DequeModule

extension Broker {
  // MARK: Giving out lanes

  /// Puts waiting requests on free lanes, those first that need just that lane.
  mutating func dispatch(_ index: Int, at now: MonotonicInstant) -> [Action] {
    var actions: [Action] = []
    guard upstreams[index].waitingCount > 0, heldUntil(index, at: now) == nil else {
      return []
    }
    while true {
      if upstreams[index].attachedCount > 0 {
        for brief in upstreams[index].pool.connections.briefs where brief.isAwaited {
          actions += dispatchAttached(to: brief.number, of: index, at: now)
        }
      }
      // One at a time, as it may be the turn of what prefers a connection again.
      guard let action = dispatchQueued(index, at: now) else { return actions }
      actions.append(action)
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .forgetsWhatPrefersAConnection {
          while let action = dispatchQueued(index, at: now) { actions.append(action) }
          return actions
        }
      #endif
    }
  }

  /// Gives a free lane to the request whose turn it is, if there are both.
  private mutating func dispatchQueued(_ index: Int, at now: MonotonicInstant) -> Action? {
    guard !upstreams[index].queue.isEmpty, let best = upstreams[index].pool.bestFreeLane(at: now)
    else { return nil }
    let request: RequestNumber
    let place: Affinity.Place
    if let returned = servedNext(ofReturned: index, at: now) {
      (request, place) = returned
      upstreams[index].queue.remove(request)
    } else if let next = upstreams[index].queue.popFirst() {
      request = next
      place = preferredFreeLane(for: next, of: index, at: now) ?? best
    } else {
      return nil
    }
    let action = assign(request, to: place, of: index, at: now)
    upstreams[index].pool.connections[place.connection]?.hasServedPinned = false
    upstreams[index].pool.connections[place.connection]?.lanes[place.lane].hasServedBound = false
    return action
  }

  /// The first that came back from a lost connection for which there is a free lane that will do.
  private func servedNext(
    ofReturned index: Int, at now: MonotonicInstant
  ) -> (RequestNumber, Affinity.Place)? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .forgetsWhatCameBack { return nil }
    #endif
    for number in upstreams[index].queue.returned {
      let lostAt = requests[number]?.lostAt
      if let place = upstreams[index].pool.bestFreeLane(at: now, heardSince: lostAt) {
        return (number, place)
      }
    }
    return nil
  }

  /// Something waits for any connection, and this one will do.
  private func isWantedByAny(
    _ number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> Bool {
    guard !upstreams[index].queue.isEmpty,
      let connection = upstreams[index].pool.connections[number],
      upstreams[index].pool.takesAny(connection, at: now)
    else { return false }
    return upstreams[index].queue.hasNew
      || upstreams[index].queue.returned.contains { number in
        requests[number]?.lostAt.map { connection.isHeard(since: $0) } ?? true
      }
  }

  /// A free lane of the connection that suits a request better than any.
  private func preferredFreeLane(
    for number: RequestNumber, of index: Int, at now: MonotonicInstant
  ) -> Affinity.Place? {
    guard let request = requests[number] else { return nil }
    let preferred =
      if let preference = request.spec.preference(of: request.uid) {
        upstreams[index].affinity.connection(for: preference)
      } else {
        clients[request.client]?.lastServedOn
      }
    guard let preferred, let connection = upstreams[index].pool.connections[preferred],
      upstreams[index].pool.takesAny(connection, at: now), now < connection.ages.marginAt,
      let lane = connection.freeLane(suiting: request.spec, of: request.uid)
    else { return nil }
    return Affinity.Place(connection: preferred, lane: lane)
  }

  /// Serves what waits for one connection: first what can be served nowhere else, then what prefers
  /// it, but neither twice in a row while others wait for any connection.
  private mutating func dispatchAttached(
    to number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    dispatchBound(to: number, of: index, at: now) + dispatchPinned(to: number, of: index, at: now)
  }

  private mutating func dispatchBound(
    to number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    var actions: [Action] = []
    guard let connection = upstreams[index].pool.connections[number], connection.isOpen else {
      return []
    }
    for lane in connection.lanes.indices where !connection.lanes[lane].bound.isEmpty {
      guard upstreams[index].pool.connections[number]?.canContinue(on: lane) == true else {
        continue
      }
      let isOvertaking = isWantedByAny(number, of: index, at: now)
      if isOvertaking, connection.lanes[lane].hasServedBound { continue }
      guard let request = upstreams[index].pool.connections[number]?.lanes[lane].bound.popFirst()
      else { continue }
      upstreams[index].attachedCount -= 1
      let place = Affinity.Place(connection: number, lane: lane)
      actions.append(assign(request, to: place, of: index, at: now))
      upstreams[index].pool.connections[number]?.lanes[lane].hasServedBound = isOvertaking
      if isOvertaking { upstreams[index].pool.connections[number]?.hasServedPinned = true }
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .servesOneLaneAgainAndAgain {
          upstreams[index].pool.connections[number]?.lanes[lane].hasServedBound = false
        }
      #endif
    }
    return actions
  }

  private mutating func dispatchPinned(
    to number: ConnectionNumber, of index: Int, at now: MonotonicInstant
  ) -> [Action] {
    var actions: [Action] = []
    for request in upstreams[index].pool.connections[number]?.pinned ?? [] {
      guard let connection = upstreams[index].pool.connections[number], connection.isReady,
        connection.freeLane != nil
      else { break }
      // Letting one wait in the queue may have brought others there.
      guard let record = requests[request], case .pinned = record.state else { continue }
      // A batch request's turn comes as often in the queue as batch requests' do, and no sooner.
      let givesWay = record.spec.priority == .batch && upstreams[index].queue.hasInteractive
      guard !givesWay,
        let lane = connection.freeLane(suiting: record.spec, of: record.uid)
      else {
        // What is free here might be continued by others: any other lane is as good.
        detach(record)
        enqueue(request)
        continue
      }
      let isOvertaking = isWantedByAny(number, of: index, at: now)
      if isOvertaking, connection.hasServedPinned { break }
      detach(record)
      let place = Affinity.Place(connection: number, lane: lane)
      actions.append(assign(request, to: place, of: index, at: now))
      upstreams[index].pool.connections[number]?.hasServedPinned = isOvertaking
      if isOvertaking {
        upstreams[index].pool.connections[number]?.lanes[lane].hasServedBound = true
      }
    }
    return actions
  }

  private mutating func assign(
    _ number: RequestNumber, to place: Affinity.Place, of index: Int, at now: MonotonicInstant
  ) -> Action {
    guard var request = requests[number],
      let openedAt = upstreams[index].pool.connections[place.connection]?.openedAt
    else { preconditionFailure("a lane was given to a request or on a connection that is gone") }
    request.state = .running(on: place.connection, lane: place.lane)
    request.assignedAt = now
    request.connection = place.connection
    request.isReused = openedAt <= request.arrivedAt
    if request.sentBefore != .no, !request.isResent {
      request.isResent = true
      counters.requestsResent += 1
    }
    requests[number] = request
    upstreams[index].waitingCount -= 1
    let running = Lane.Running(
      request: number, client: request.client, filter: request.spec.events)
    let preference = request.spec.preference(of: request.uid)
    upstreams[index].pool.connections[place.connection]?.lanes[place.lane].start(
      running, of: preference,
      continues: request.spec.previousResponseID != nil)
    clients[request.client]?.lastServedOn = place.connection
    if let preference {
      let before = upstreams[index].affinity.served(preference, on: place.connection)
      if before == place.connection { counters.affinityHits += 1 }
      if let before, before != place.connection { counters.affinityMisses += 1 }
    }
    deadlines.schedule(number, at: request.nextDeadline)
    let name = laneName(place.lane, on: place.connection, of: index)
    return .send(number, on: place.connection, lane: name)
  }

  /// The lane whose name a message is to carry; nil where the connection carries one response.
  func laneName(_ lane: Int, on number: ConnectionNumber, of index: Int) -> Int? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .sendsWithoutALanesName { return nil }
    #endif
    guard let connection = upstreams[index].pool.connections[number], connection.namesLanes,
      // Its server showed on another connection that it knows no lanes.
      connection.laneEcho == .present || upstreams[index].pool.laneEcho != .absent
    else { return nil }
    return lane
  }

  /// Fails everything that waits for an upstream where waiting will not help.
  mutating func failHopeless(_ index: Int, at now: MonotonicInstant) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .keepsWaitingForNothing { return [] }
    #endif
    guard upstreams[index].waitingCount > 0, let error = upstreams[index].pool.refusal else {
      return []
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .failsWhoCouldGoElsewhere {
        return waiting(at: index).flatMap { fail($0, with: error, at: now) }
      }
    #endif
    // Who is behind one of these in its conversation may go elsewhere when that has failed.
    let others = waiting(at: index).filter { requests[$0].map(mayGoElsewhere) == false }
    var actions = others.flatMap { fail($0, with: error, at: now) }
    actions += failOver(index, at: now)
    return actions + waiting(at: index).flatMap { fail($0, with: error, at: now) }
  }

  private mutating func fail(
    _ number: RequestNumber, with error: HotlineError, at now: MonotonicInstant
  ) -> [Action] {
    guard let request = requests[number] else { return [] }
    var error = error
    error.sent = max(error.sent, request.sentBefore)
    return end(number, .error, with: error, at: now)
  }

  /// Everything that waits for an upstream, in the order of its arrival; linear in all requests.
  func waiting(at index: Int) -> [RequestNumber] {
    requests.values.filter { $0.spec.upstream.rawValue == index && $0.isWaiting }
      .map(\.number).sorted()
  }
}

extension Lane {
  /// From now on its latest response is no longer the server's latest.
  fileprivate mutating func start(
    _ running: Running, of preference: Affinity.Preference?, continues: Bool
  ) {
    state = .busy(running)
    steering = Steering()
    chainAt = nil
    chainOwner = preference ?? (continues ? chainOwner : nil)
  }
}

extension HotlineError.Sent: Comparable {
  private var rank: Int {
    switch self {
    case .no: 0
    case .unknown: 1
    case .yes: 2
    }
  }

  /// Ordered by how much the server may know.
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rank < rhs.rank }
}
