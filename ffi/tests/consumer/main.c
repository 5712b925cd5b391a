/* Makes a pool with an installed library, and says its version. */
#include <remuda.h>

#include <stdio.h>

int main(void)
{
    remuda_pool *pool = NULL;
    if (remuda_abi_version() != REMUDA_ABI_VERSION ||
        remuda_pool_new(NULL, &pool, NULL) != REMUDA_STATUS_OK) {
        return 1;
    }
    remuda_pool_free(pool);
    puts(remuda_version());
    return 0;
}
