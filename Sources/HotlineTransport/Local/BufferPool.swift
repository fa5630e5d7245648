import NIOCore

/// Buffers lent to clients for the length of one wake-up, so that an idle client holds none.
///
/// Confined to the daemon loop.
package final class BufferPool {
  /// A buffer that grew beyond this is not kept.
  package static let bytesMax = 256 << 10
  package static let countMax = 16

  private var free: [ByteBuffer] = []
  private let allocator = ByteBufferAllocator()

  package init() {}

  package func take() -> ByteBuffer {
    free.popLast() ?? allocator.buffer(capacity: 4096)
  }

  /// Takes a buffer back after it was written; the channel has usually let go of it by then.
  package func giveBack(_ buffer: consuming ByteBuffer) {
    guard free.count < Self.countMax, buffer.capacity <= Self.bytesMax else { return }
    buffer.clear()
    free.append(buffer)
  }
}

/// The bytes of lines and events that the daemon holds for its clients.
///
/// Confined to the daemon loop.
package final class MemoryLedger {
  package private(set) var bytes = 0
  /// `socket.memory_max`.
  package var limit: Int
  package init(limit: Int) {
    self.limit = limit
  }

  package var isOver: Bool { bytes > limit }

  package func change(by difference: Int) {
    bytes += difference
  }
}
