import HotlineCore

/// What will happen in a run, by virtual time; at one instant in the order in which it was planned.
struct Agenda {
  private struct Entry {
    var instant: Int64
    var sequence: Int
    var occurrence: Occurrence

    func precedes(_ other: Entry) -> Bool {
      (instant, sequence) < (other.instant, other.sequence)
    }
  }

  /// A binary heap: each entry precedes its children at 2n + 1 and 2n + 2.
  private var heap: [Entry] = []
  private var sequence = 0

  var nextInstant: Int64? { heap.first?.instant }

  mutating func plan(_ occurrence: Occurrence, at instant: Int64) {
    sequence += 1
    heap.append(Entry(instant: instant, sequence: sequence, occurrence: occurrence))
    var child = heap.count - 1
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popFirst() -> Occurrence? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first.occurrence }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].precedes(heap[least]) { least = child }
      }
      guard least != parent else { return first.occurrence }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}

/// One thing that happens outside of the core.
enum Occurrence {
  case clientConnects(ClientNumber)
  /// The client does something of its own choice.
  case clientActs(ClientNumber)
  case clientGoesOn(ClientNumber)
  /// The local connection that the driver was told to close is closed.
  case clientIsClosed(ClientNumber)
  case dialEnds(ConnectionNumber)
  case requestIsHandedOver(RequestNumber, ConnectionNumber, attempt: Int)
  case messageArrives(ConnectionNumber, Message)
  case pongArrives(ConnectionNumber, id: UInt64)
  case connectionEnds(ConnectionNumber, ConnectionFailure)
  /// From now on nothing comes from this connection, though it looks open.
  case connectionFallsSilent(ConnectionNumber)
  case outageBegins(UpstreamIndex)
  /// Somebody calls the timer early, which is harmless.
  case timerComesEarly
  case terminationIsRequested
  /// The server reads that nobody wants a response.
  case cancelArrives(ConnectionNumber, RequestNumber, lane: Int, ByteString)
  /// Some bytes of a message whose end is not there yet, or never will be.
  case piecesArrive(ConnectionNumber)
  /// The server has been held up for as long as may be for a client that reads slowly.
  case holdEnds(ConnectionNumber, since: Int64)
  /// What waited in the socket of a connection is read on.
  case heldIsRead(ConnectionNumber)
  /// The client cancels the request of that number as soon as it is sent.
  case clientRegrets(RequestNumber)
  case otherCancels(RequestNumber)
  case clientFloods(ClientNumber, Int)
  /// The client uses the id of a request that has just ended again.
  case clientRepeats(ClientNumber, RequestID)
  case networkChanges
  /// And wakes up.
  case machineSleeps
  case reload
  case configurationIsRead(version: Int)
  case drainIsRequested
  /// From now on servers are well and clients make no new requests.
  case peaceBegins
  case requestsAreOver
  case poolIsWarm
  case quietEnds
}

/// A message of a simulated server, with the truth about whom it is for.
struct Message {
  var facts: EventFacts
  /// The request whose response it is part of; nil if it concerns the connection, or nothing.
  var owner: RequestNumber?
  /// With it the response is over.
  var isLast = false
  /// Its response was over before.
  var isLate = false
  /// It names another lane than its own, or none where it should.
  var isMisnamed = false
  /// An error that answers what a client said of its response.
  var refusesControl = false
  var bytes = 100
  /// What it says of its server's limits.
  var limits: [RateLimit] = []
}
