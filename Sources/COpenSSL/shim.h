// The parts of OpenSSL 3 that Swift cannot import by itself: macros that take arguments, macros
// with casts in them, and functions with variable arguments. One inline function for each, named
// like it. Everything else is called directly.

#ifndef HOTLINE_COPENSSL_SHIM_H
#define HOTLINE_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

// Both sides.

static inline int COpenSSL_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
  return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int COpenSSL_SSL_CTX_get_min_proto_version(SSL_CTX *context) {
  return (int)SSL_CTX_get_min_proto_version(context);
}

static inline int COpenSSL_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
  return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline long COpenSSL_SSL_CTX_set_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_mode(context, mode);
}

static inline long COpenSSL_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_session_cache_mode(context, mode);
}

static inline uint64_t COpenSSL_SSL_OP_NO_RENEGOTIATION(void) {
  return SSL_OP_NO_RENEGOTIATION;
}

// The client's side.

static inline int COpenSSL_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}

// The server's side, and making certificates for it.

static inline int COpenSSL_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline uint64_t COpenSSL_SSL_OP_NO_TICKET(void) {
  return SSL_OP_NO_TICKET;
}

static inline EVP_PKEY *COpenSSL_EVP_RSA_gen(unsigned int bits) {
  return EVP_RSA_gen(bits);
}

static inline EVP_PKEY *COpenSSL_EVP_EC_gen(const char *curve) {
  return EVP_EC_gen(curve);
}

static inline void COpenSSL_X509V3_set_ctx_nodb(X509V3_CTX *context) {
  X509V3_set_ctx_nodb(context)
}

#endif
