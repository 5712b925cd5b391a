// Makes a pool with an installed library, and says its version.
#include <remuda.hpp>

#include <iostream>

int main() {
    const remuda::pool pool(remuda::pool_options{});
    std::cout << remuda_version() << std::endl;
    return pool.stats().sessions == 0 ? 0 : 1;
}
