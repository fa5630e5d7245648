import NIOCore

/// Looks names up beside the loop, each question at most once at a time.
///
/// A lookup holds a thread until a name server answers, which may take longer than a dial lasts:
/// dials that ask the same meanwhile wait for the same answer, lest an outage collect threads.
/// Confined to its loop.
final class PendingLookups {
  typealias Answer = Result<[String], NameLookup.Failure>

  private struct Question: Hashable {
    let name: String
    let family: NameLookup.Family
  }

  private let eventLoop: any EventLoop
  private let lookup: NameLookup.Function
  /// Who waits for what is being looked up.
  private var waiting: [Question: [(Answer) -> Void]] = [:]

  /// Every question has its answer, so that no thread will speak to the loop.
  var isIdle: Bool { waiting.isEmpty }

  /// - Parameter lookup: is called on threads that it may block.
  init(eventLoop: any EventLoop, lookup: @escaping NameLookup.Function) {
    self.eventLoop = eventLoop
    self.lookup = lookup
  }

  /// - Parameter completion: is held until the answer is there; never called before this returns.
  func ask(
    for name: String, _ family: NameLookup.Family, _ completion: @escaping (Answer) -> Void
  ) {
    let question = Question(name: name, family: family)
    guard waiting[question] == nil else {
      waiting[question]?.append(completion)
      return
    }
    waiting[question] = [completion]
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    NameLookup.inBackground(lookup, of: name, family) { [eventLoop] answer in
      eventLoop.execute { bound.value.answered(question, answer) }
    }
  }

  private func answered(_ question: Question, _ answer: Answer) {
    for completion in waiting.removeValue(forKey: question) ?? [] { completion(answer) }
  }
}
