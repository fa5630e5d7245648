extension Broker {
  /// Lets requests that were never sent, and whose upstream cannot be reached, wait for the first
  /// of their alternatives that is better off.
  ///
  /// What is moved is not served before its new upstream is settled, see ``unsettled``.
  mutating func failOver(_ index: Int, at now: MonotonicInstant) -> [Action] {
    guard upstreams[index].hasAlternatives, upstreams[index].waitingCount > 0,
      upstreams[index].pool.isDown
    else { return [] }
    return waiting(at: index).flatMap { moveWithFollowers($0, from: index, at: now) }
  }

  /// The requests of its conversation go with it, in their order, which need not be that of their
  /// numbers: some may have come from a third upstream.
  private mutating func moveWithFollowers(
    _ first: RequestNumber, from index: Int, at now: MonotonicInstant
  ) -> [Action] {
    var actions: [Action] = []
    var following: RequestNumber? = first
    while let number = following, let request = requests[number],
      request.spec.upstream.rawValue == index, request.isWaiting,
      let next = alternative(to: request)
    {
      actions += move(request, to: next, at: now)
      following = request.conversationKey.flatMap { upstreams[index].orders[$0]?.current }
    }
    return actions
  }

  /// Where a request could go instead; nil for one that has to stay.
  func alternative(to request: Request) -> UpstreamIndex? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .failsOverWhatWasSent { return alternative(to: request.spec) }
    #endif
    guard request.sentBefore == .no else { return nil }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .failsOverOutOfOrder { return alternative(to: request.spec) }
    #endif
    // Who is behind another of its conversation goes where that one is.
    if request.state == .ordered, let key = request.conversationKey,
      upstreams[request.spec.upstream.rawValue].orders[key]?.current != request.number
    {
      return nil
    }
    return alternative(to: request.spec)
  }

  /// Now, or when it is the first of its conversation.
  func mayGoElsewhere(_ request: Request) -> Bool {
    request.sentBefore == .no && alternative(to: request.spec) != nil
  }

  /// The first upstream that is better off than the one that a new request names, if that is down.
  func alternative(to spec: NewRequest) -> UpstreamIndex? {
    #if HOTLINE_PLANTED_FAULTS
      switch PlantedFault.current {
      case .neverFailsOver: return nil
      case .failsOverToWhatIsDown: return spec.alternatives.first
      case .failsOverAContinuation:
        return spec.alternatives.first { !upstreams[$0.rawValue].pool.isDown }
      default: break
      }
    #endif
    // Nobody else knows what it continues.
    guard spec.previousResponseID == nil else { return nil }
    return spec.alternatives.first { !upstreams[$0.rawValue].pool.isDown }
  }

  private mutating func move(
    _ request: Request, to next: UpstreamIndex, at now: MonotonicInstant
  ) -> [Action] {
    let (number, index) = (request.number, request.spec.upstream.rawValue)
    if case .queued = request.state { upstreams[index].queue.remove(number) }
    detach(request)
    upstreams[index].released.removeAll { $0 == number }
    upstreams[index].waitingCount -= 1
    advanceOrder(after: request)
    requests[number]?.spec.upstream = next
    // So that it never comes back to where it was.
    if let place = request.spec.alternatives.firstIndex(of: next) {
      requests[number]?.spec.alternatives.removeFirst(place + 1)
    }
    requests[number]?.state = .queued
    upstreams[next.rawValue].waitingCount += 1
    upstreams[next.rawValue].hasAlternatives = true
    counters.requestsFailedOver += 1
    unsettled.append(next.rawValue)
    return line(up: number, at: now)
  }
}
