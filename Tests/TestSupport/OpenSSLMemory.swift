import COpenSSL
import Glibc

/// What OpenSSL has allocated and not given back, whatever kind of object it is for.
///
/// That can be known only from its first allocation on (CRYPTO_set_mem_functions(3)), and it is of
/// the whole process: for exit tests, which have one of their own. Any thread.
package enum OpenSSLMemory {
  /// Where in OpenSSL's sources something was allocated: its kind, as good as.
  fileprivate struct Origin: Hashable {
    /// Address of the file's name, which lives as long as the library.
    let file: UInt
    let line: Int32
  }

  package struct Usage: Hashable, Sendable {
    package fileprivate(set) var blocks = 0
    package fileprivate(set) var bytes = 0
    fileprivate var origins: [Origin: Int] = [:]
  }

  /// Stands before each block, which has to begin at a multiple of 16 bytes (malloc(3)).
  private struct Header {
    let byteCount: Int
    let origin: Origin
    static let bytes = 32
  }

  /// The thread sanitizer knows a lock of pthread's, but not Synchronization's `Mutex`, which waits
  /// by futex(2): each count would be a race to it.
  private final class Guarded: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private var usage = Usage()

    init() {
      let error = pthread_mutex_init(lock, nil)
      precondition(error == 0, "no mutex: error \(error)")
    }

    func withLock<Result>(_ body: (inout Usage) -> Result) -> Result {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      return body(&usage)
    }
  }

  /// For the rest of the process.
  private static let state = Guarded()

  package static var usage: Usage { state.withLock { $0 } }

  /// Counts from here on.
  ///
  /// - Throws: `TestFailure` where OpenSSL has allocated something before.
  package static func startCounting() throws {
    precondition(MemoryLayout<Header>.size <= Header.bytes, "the header does not fit")
    let isTaken = CRYPTO_set_mem_functions(
      { count, file, line in OpenSSLMemory.allocate(count, file, line) },
      { block, count, file, line in OpenSSLMemory.reallocate(block, count, file, line) },
      { block, _, _ in OpenSSLMemory.release(block) })
    guard isTaken == 1 else { throw TestFailure("OpenSSL is already in use") }
  }

  private static func allocate(
    _ count: Int, _ file: UnsafePointer<CChar>?, _ line: Int32
  ) -> UnsafeMutableRawPointer? {
    guard count > 0, let start = malloc(Header.bytes + count) else { return nil }
    let header = Header(
      byteCount: count, origin: Origin(file: UInt(bitPattern: file), line: line))
    start.storeBytes(of: header, as: Header.self)
    note(header, 1)
    return start + Header.bytes
  }

  private static func release(_ block: UnsafeMutableRawPointer?) {
    guard let start = block.map({ $0 - Header.bytes }) else { return }
    note(start.load(as: Header.self), -1)
    free(start)
  }

  /// `block` stays as it is where this gives `nil` for want of memory (realloc(3)).
  private static func reallocate(
    _ block: UnsafeMutableRawPointer?, _ count: Int, _ file: UnsafePointer<CChar>?, _ line: Int32
  ) -> UnsafeMutableRawPointer? {
    guard let block else { return allocate(count, file, line) }
    let moved = allocate(count, file, line)
    if let moved {
      let kept = (block - Header.bytes).load(as: Header.self).byteCount
      memcpy(moved, block, min(kept, count))
    }
    if moved != nil || count == 0 { release(block) }
    return moved
  }

  private static func note(_ header: Header, _ change: Int) {
    state.withLock { usage in
      usage.blocks += change
      usage.bytes += change * header.byteCount
      let count = usage.origins[header.origin, default: 0] + change
      usage.origins[header.origin] = count == 0 ? nil : count
    }
  }
}

extension OpenSSLMemory.Usage {
  /// What there is more of than there was, by the place in OpenSSL's sources that allocated it:
  /// `ssl/ssl_lib.c:712: 3`.
  package func growth(since before: Self) -> [String] {
    origins.compactMap { origin, count in
      let more = count - before.origins[origin, default: 0]
      guard more > 0 else { return nil }
      let file = UnsafePointer<CChar>(bitPattern: origin.file).map { String(cString: $0) }
      return "\(file ?? "?"):\(origin.line): \(more)"
    }.sorted()
  }
}
