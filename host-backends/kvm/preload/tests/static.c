/* A program that is statically linked: no library can be put under it. */
int main(void)
{
    return 0;
}
