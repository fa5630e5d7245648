import CZlib

/// Counts the blocks of memory that zlib holds for the streams which share this.
///
/// Confined to one thread, like its streams.
package final class ZlibMemory {
  /// Allocated and not yet given back.
  package fileprivate(set) var blocks = 0

  package init() {}

  /// A cleared stream that allocates here. It must not be moved: zlib keeps its address.
  func makeStream() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // The streams hold their memory's object, so it outlives the pointer.
    stream.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
    stream.pointee.zalloc = { opaque, items, bytes in
      guard let opaque else { return nil }
      Unmanaged<ZlibMemory>.fromOpaque(opaque).takeUnretainedValue().blocks += 1
      return .allocate(byteCount: Int(items) * Int(bytes), alignment: 16)
    }
    stream.pointee.zfree = { opaque, block in
      guard let opaque, let block else { return }
      Unmanaged<ZlibMemory>.fromOpaque(opaque).takeUnretainedValue().blocks -= 1
      block.deallocate()
    }
    return stream
  }
}

/// What one call of zlib has done.
package struct DeflateStep: Hashable, Sendable {
  /// Bytes of the input that were taken.
  package var consumed: Int
  /// Bytes at the beginning of the output that were written.
  package var produced: Int
}

extension UnsafeMutablePointer where Pointee == z_stream {
  /// Gives zlib its buffers; what zlib takes at once is 4 GiB at most.
  func offer(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) {
    pointee.next_in = input.baseAddress?.assumingMemoryBound(to: Bytef.self)
    pointee.avail_in = uInt(clamping: input.count)
    pointee.next_out = output.baseAddress?.assumingMemoryBound(to: Bytef.self)
    pointee.avail_out = uInt(clamping: output.count)
  }

  /// What has become of them; no pointer of the caller's stays behind.
  func takeBack(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer)
    -> DeflateStep
  {
    defer {
      pointee.next_in = nil
      pointee.next_out = nil
    }
    return DeflateStep(
      consumed: Int(uInt(clamping: input.count) - pointee.avail_in),
      produced: Int(uInt(clamping: output.count) - pointee.avail_out))
  }
}
