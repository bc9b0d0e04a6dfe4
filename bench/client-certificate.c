/* Lets wrk show a client certificate, which it has no option for: preloaded, it adds BENCH_CERT and BENCH_KEY to every
   TLS context that the program makes. Compiled by the benchmark when a C compiler is there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <stddef.h>

typedef void *(*context_new)(const void *);
typedef int (*use_chain)(void *, const char *);
typedef int (*use_key)(void *, const char *, int);

void *SSL_CTX_new(const void *method) {
  context_new real = (context_new)dlsym(RTLD_NEXT, "SSL_CTX_new");
  void *context = real(method);
  const char *certificate = getenv("BENCH_CERT");
  const char *key = getenv("BENCH_KEY");
  if (context != NULL && certificate != NULL && key != NULL) {
    ((use_chain)dlsym(RTLD_NEXT, "SSL_CTX_use_certificate_chain_file"))(context, certificate);
    ((use_key)dlsym(RTLD_NEXT, "SSL_CTX_use_PrivateKey_file"))(context, key, 1);
  }
  return context;
}
