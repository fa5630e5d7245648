extension Broker {
  /// Lets requests that were never sent, and whose upstream cannot be reached, wait for the first
  /// of their alternatives that is better off.
  ///
  /// What is moved is not served before its new upstream is settled, see ``unsettled``.
  mutating func failOver(_ index: Int, at now: MonotonicInstant) -> [Action] {
    guard upstreams[index].hasAlternatives, upstreams[index].waitingCount > 0,
      upstreams[index].pool.isDown
    else { return [] }
    let own = requests.values.filter { $0.spec.upstream.rawValue == index && $0.isWaiting }
    return own.map(\.number).sorted().flatMap { number -> [Action] in
      guard let request = requests[number], let next = alternative(to: request) else { return [] }
      return move(request, to: next, at: now)
    }
  }

  /// Where a request could go instead; nil for one that has to stay.
  func alternative(to request: Request) -> UpstreamIndex? {
    guard request.sentBefore == .no, request.spec.previousResponseID == nil else { return nil }
    // Who is behind another of its conversation goes where that one is.
    if request.state == .ordered, let key = request.conversationKey,
      upstreams[request.spec.upstream.rawValue].orders[key]?.current != request.number
    {
      return nil
    }
    return request.spec.alternatives.first { !upstreams[$0.rawValue].pool.isDown }
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
