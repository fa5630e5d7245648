import HeapModule

/// The deadlines of many requests, of which only the earliest matters.
///
/// A request that ended leaves its entry behind; the queue is rebuilt when such entries outnumber
/// the living, so that every operation stays logarithmic and memory stays proportional to the
/// open requests.
struct DeadlineQueue: Sendable {
  private struct Entry: Comparable {
    var instant: MonotonicInstant
    var request: RequestNumber

    static func < (lhs: Self, rhs: Self) -> Bool {
      (lhs.instant, lhs.request) < (rhs.instant, rhs.request)
    }
  }

  private var heap = Heap<Entry>()
  /// The one deadline that counts for each request; an entry that says otherwise is stale.
  private var current: [RequestNumber: MonotonicInstant] = [:]

  /// At or before the earliest deadline: early is harmless.
  var nextDeadline: MonotonicInstant? { heap.min?.instant }

  mutating func schedule(_ request: RequestNumber, at instant: MonotonicInstant) {
    guard current[request] != instant else { return }
    current[request] = instant
    heap.insert(Entry(instant: instant, request: request))
    if heap.count > 2 * current.count + 64 { rebuild() }
  }

  mutating func cancel(_ request: RequestNumber) {
    current[request] = nil
    if current.isEmpty { heap = Heap() }
  }

  /// Removes and returns the next request whose deadline has come.
  mutating func popDue(at now: MonotonicInstant) -> RequestNumber? {
    while let first = heap.min, first.instant <= now {
      _ = heap.popMin()
      if current[first.request] == first.instant {
        current[first.request] = nil
        return first.request
      }
    }
    return nil
  }

  private mutating func rebuild() {
    heap = Heap(current.map { Entry(instant: $0.value, request: $0.key) })
  }
}
