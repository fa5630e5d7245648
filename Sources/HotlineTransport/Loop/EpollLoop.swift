import CEpoll
import DequeModule
import Dispatch
import Glibc
import HeapModule
import HotlineTLS
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Hears of one descriptor; every call comes on the loop.
protocol DescriptorObserver: AnyObject {
  func descriptorBecame(_ readiness: Readiness)
  /// The loop is ending: whoever holds a descriptor gives it back.
  func loopEnds()
}

/// The event loop: one thread that waits in epoll(7) and owns all that is mutable.
///
/// In the place of NIO's own, which takes a third of what a short request costs for accepting and
/// closing its client: here a socket is an object and two or three system calls. The channels of
/// this loop are ``StreamChannel``; those of NIOPosix cannot live on it.
package final class EpollLoop: EventLoop, @unchecked Sendable {
  /// What is to be done at an instant, unless it is cancelled before.
  private final class Timer: Comparable {
    let deadline: NIODeadline
    let number: UInt64
    var work: (() -> Void)?

    init(_ deadline: NIODeadline, _ number: UInt64, _ work: @escaping () -> Void) {
      self.deadline = deadline
      self.number = number
      self.work = work
    }

    static func == (left: Timer, right: Timer) -> Bool { left === right }
    static func < (left: Timer, right: Timer) -> Bool {
      (left.deadline, left.number) < (right.deadline, right.number)
    }
  }

  /// What other threads have said.
  private struct Inbox {
    var tasks: [() -> Void] = []
    var isClosed = false
  }

  private let epoll = Epoll()
  /// Its lock is one that the thread sanitizer knows, which knows no Mutex of Synchronization's.
  private let inbox = NIOLockedValueBox(Inbox())
  private let thread = Atomic<UInt>(0)
  /// From here on of the loop alone.
  private var tasks: Deque<() -> Void> = []
  private var timers = Heap<Timer>()
  private var timersMade: UInt64 = 0
  /// What the alarm is set to.
  private var alarmAt = NIODeadline.distantFuture
  private var hasAlarmGoneOff = false
  /// By descriptor; the tag tells events of a descriptor's earlier life.
  private var observers: [(observer: (any DescriptorObserver)?, tag: UInt32)] = []
  private var isEnding = false
  private var whoWaitsForTheEnd: [() -> Void] = []
  /// Lent to whoever reads: empty again, and its storage free, when the read has been handled.
  var readBuffer = ByteBufferAllocator().buffer(capacity: readBytesMax)
  static let readBytesMax = 64 << 10

  /// What was read; whoever keeps a part of it beyond the call takes its storage along.
  func lendReadBuffer() -> ByteBuffer {
    let lent = readBuffer
    readBuffer.moveReaderIndex(to: readBuffer.writerIndex)
    return lent
  }

  package init() {
    do {
      // As much stack as a thread has by default.
      try DetachedThread.start("hotline-loop", stackBytes: 8 << 20) { [self] in run() }
    } catch {
      preconditionFailure("no thread for the event loop: \(error)")
    }
  }

  deinit {
    epoll.close()
  }

  package var inEventLoop: Bool {
    thread.load(ordering: .relaxed) == UInt(pthread_self())
  }

  // MARK: Running

  private func run() {
    thread.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
    while !isEnding {
      // What the tasks ask for waits until the descriptors have been looked at.
      for _ in 0..<tasks.count { tasks.popFirst()?() }
      setAlarm()
      epoll.wait(mayBlock: tasks.isEmpty && !isEnding) { descriptor, tag, readiness in
        became(descriptor, tag, readiness)
      }
      runTimers()
    }
    end()
    thread.store(0, ordering: .relaxed)
  }

  private func became(_ descriptor: CInt, _ tag: UInt32, _ readiness: Readiness) {
    if descriptor == epoll.bell {
      epoll.silence(descriptor)
      let news = inbox.withLockedValue { inbox in
        let news = inbox.tasks
        inbox.tasks.removeAll(keepingCapacity: news.capacity < 1024)
        return news
      }
      tasks.append(contentsOf: news)
    } else if descriptor == epoll.timer {
      epoll.silence(descriptor)
      alarmAt = .distantFuture
      hasAlarmGoneOff = true
    } else {
      let entry = observers[Int(descriptor)]
      if entry.tag == tag { entry.observer?.descriptorBecame(readiness) }
    }
  }

  /// An alarm that goes off too early is harmless, so it is only ever set to something earlier.
  private func setAlarm() {
    while let next = timers.min, next.work == nil { _ = timers.popMin() }
    guard let next = timers.min?.deadline, next < alarmAt else { return }
    alarmAt = next
    epoll.setAlarm(at: next.uptimeNanoseconds)
  }

  private func runTimers() {
    guard hasAlarmGoneOff else { return }
    hasAlarmGoneOff = false
    let now = NIODeadline.now()
    while let next = timers.min, next.deadline <= now {
      _ = timers.popMin()
      next.work?()
    }
  }

  private func end() {
    for entry in observers { entry.observer?.loopEnds() }
    // What was asked for until now is still done, what that asks for too.
    while true {
      let news = inbox.withLockedValue { inbox in
        let news = inbox.tasks
        inbox.tasks = []
        inbox.isClosed = tasks.isEmpty && news.isEmpty
        return news
      }
      tasks.append(contentsOf: news)
      guard let task = tasks.popFirst() else { break }
      task()
    }
    // Its thread frees that at its own end, a moment after all that it does.
    TLSThread.releaseState()
    for tell in whoWaitsForTheEnd { tell() }
  }

  // MARK: Descriptors

  func watch(_ descriptor: CInt, for readiness: Readiness, _ observer: any DescriptorObserver) {
    let index = Int(descriptor)
    while observers.count <= index { observers.append((nil, 0)) }
    observers[index] = (observer, observers[index].tag &+ 1)
    epoll.watch(descriptor, for: readiness, tag: observers[index].tag, isNew: true)
  }

  func change(_ descriptor: CInt, to readiness: Readiness) {
    let tag = observers[Int(descriptor)].tag
    epoll.watch(descriptor, for: readiness, tag: tag, isNew: false)
  }

  /// - Parameter isClosing: its last descriptor is closed next, which is the end for epoll(7) too.
  func unwatch(_ descriptor: CInt, isClosing: Bool) {
    observers[Int(descriptor)].observer = nil
    observers[Int(descriptor)].tag &+= 1
    if !isClosing { epoll.unwatch(descriptor) }
  }

  /// Calls `handle` on the loop whenever there is something to read, for as long as the loop runs;
  /// the descriptor stays the caller's, who closes it after the loop's end. Loop only.
  package func whenReadable(_ descriptor: CInt, _ handle: @escaping () -> Void) {
    watch(descriptor, for: .reading, ReadableWatch(handle))
  }

  // MARK: EventLoop

  package func execute(_ task: @escaping @Sendable () -> Void) {
    enqueue(task)
  }

  package func _executeIsolatedUnsafeUnchecked(_ task: @escaping () -> Void) {
    tasks.append(task)
  }

  private func enqueue(_ task: @escaping @Sendable () -> Void) {
    guard !inEventLoop else {
      tasks.append(task)
      return
    }
    let (isFirst, isClosed) = inbox.withLockedValue { inbox in
      inbox.tasks.append(task)
      return (inbox.tasks.count == 1, inbox.isClosed)
    }
    if isFirst, !isClosed { epoll.ring() }
  }

  package func scheduleTask<T>(
    deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    schedule(at: deadline, task)
  }

  package func scheduleTask<T>(
    in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    schedule(at: .now() + delay, task)
  }

  package func _scheduleTaskIsolatedUnsafeUnchecked<T>(
    deadline: NIODeadline, _ task: @escaping () throws -> T
  ) -> Scheduled<T> {
    schedule(at: deadline, task)
  }

  package func _scheduleTaskIsolatedUnsafeUnchecked<T>(
    in delay: TimeAmount, _ task: @escaping () throws -> T
  ) -> Scheduled<T> {
    schedule(at: .now() + delay, task)
  }

  /// On the loop only: nobody else has anything to do at a time.
  private func schedule<T>(
    at deadline: NIODeadline, _ task: @escaping () throws -> T
  ) -> Scheduled<T> {
    preconditionInEventLoop()
    let promise = makePromise(of: T.self)
    timersMade += 1
    let timer = Timer(deadline, timersMade) {
      do {
        promise.assumeIsolated().succeed(try task())
      } catch {
        promise.fail(error)
      }
    }
    timers.insert(timer)
    let bound = NIOLoopBound(timer, eventLoop: self)
    return Scheduled(promise: promise) { bound.value.work = nil }
  }

  package func shutdownGracefully(
    queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
  ) {
    execute { [self] in
      isEnding = true
      whoWaitsForTheEnd.append { queue.async { callback(nil) } }
    }
  }
}

private final class ReadableWatch: DescriptorObserver {
  private let handle: () -> Void
  init(_ handle: @escaping () -> Void) { self.handle = handle }
  func descriptorBecame(_ readiness: Readiness) { handle() }
  func loopEnds() {}
}
