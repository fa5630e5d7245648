import CEpoll
import Glibc
import NIOCore

/// A thread of its own, for an event loop or for what blocks.
///
/// In the place of Dispatch's queues: on Linux the first worker thread of libdispatch brings a
/// timer that counts them once a second for as long as the program lives (src/event/workqueue.c
/// there, `_dispatch_workq_monitor_pools`), and a daemon at rest is to wake for nothing.
package enum DetachedThread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts a thread that ends when `body` returns.
  ///
  /// No signal is delivered to it: what is sent to the process goes to the threads that were there
  /// before.
  /// - Parameters:
  ///   - name: for ps(1) and debuggers; at most 15 bytes.
  ///   - stackBytes: of address space; only what is used costs memory.
  /// - Throws: where the system has no thread left (pthread_create(3)).
  package static func start(
    _ name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void
  ) throws(IOError) {
    let retained = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let failure = withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { space in
      guard let attributes = space.baseAddress else { return ENOMEM }
      pthread_attr_init(attributes)
      defer { pthread_attr_destroy(attributes) }
      pthread_attr_setdetachstate(attributes, CInt(PTHREAD_CREATE_DETACHED))
      pthread_attr_setstacksize(attributes, stackBytes)
      return withSignalsBlocked {
        pthread_create(
          &thread, attributes,
          { argument in
            if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
          }, retained.toOpaque())
      }
    }
    guard failure == 0 else {
      retained.release()
      throw IOError(errnoCode: failure, reason: "pthread_create")
    }
    cepoll_thread_name(UInt(thread), name)
  }

  /// A thread begins with the mask of the one that starts it.
  private static func withSignalsBlocked(_ work: () -> CInt) -> CInt {
    withUnsafeTemporaryAllocation(of: sigset_t.self, capacity: 2) { masks in
      guard let all = masks.baseAddress else { return work() }
      let before = all + 1
      sigfillset(all)
      pthread_sigmask(SIG_SETMASK, all, before)
      defer { pthread_sigmask(SIG_SETMASK, before, nil) }
      return work()
    }
  }
}
