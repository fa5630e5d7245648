import COpenSSL

/// What OpenSSL keeps for each thread that uses it: random numbers' state, and its latest errors.
package enum TLSThread {
  /// Frees what it keeps for the calling thread (OPENSSL_thread_stop(3)); it makes it anew if the
  /// thread uses it again.
  package static func releaseState() { OPENSSL_thread_stop() }
}
